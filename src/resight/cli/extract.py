"""`resight extract`."""

from __future__ import annotations

from pathlib import Path

from resight.cli.options import Device, Layout, ModelName, NamePattern, Threads
from resight.cli.terminal import say, warn, write_result
from resight.progress import TerminalProgress

__all__ = ["extract"]


def extract(
    *,
    images: str,
    out: str,
    model: ModelName = "student",
    overwrite: bool = False,
    layout: Layout = "auto",
    name_pattern: NamePattern = "",
    device: Device = "auto",
    threads: Threads = 0,
    ray: str = "",
    json: Path | None = None,
) -> None:
    """Turn images into vectors: OUT.npy, OUT.csv and OUT.report.json.

    OUT.npy is float32 and has one row for each image. OUT.csv has path, identity, camera and model_sha256 for the same rows, and
    time, tracklet, split and junk if they are known; the other commands read it. The report names each image that cannot be read,
    and why. The same command resumes after an interruption.

    Parameters
    ----------
    images
        Folder of a data set (query and gallery are extracted), any folder with images in it, one image, a text file with one path
        per line, or a CSV with the column path and any of identity, camera, time, tracklet, split, junk. Or the URL of any of
        these, such as s3://bucket/crops; layouts of data sets are not recognised by URL.
    out
        Name of the files to write, without ending.
    overwrite
        Replace vectors of another model or other images.
    ray
        Address of a Ray cluster to work on, auto for the one of this machine, or local to start one. The vectors are those without
        Ray, in the Parquet files of the folder OUT.parquet. All machines need images, model and OUT under the same paths.
    json
        Also write the report to this file.
    """
    from resight.datasets.accounting import UNREADABLE
    from resight.datasets.image_list import find_images
    from resight.errors import ImageError
    from resight.extraction.extract import extract as extract_images
    from resight.models import load_model

    records = find_images(images, layout=layout, name_pattern=name_pattern)
    warn(records.notes)
    with TerminalProgress() as progress:
        if ray:
            from resight.extraction.cluster import Copies
            from resight.extraction.on_ray import extract_on_ray

            copies = Copies(address=ray, model=model, device=device, threads=threads)
            report = extract_on_ray(copies, records, out, overwrite=overwrite, progress=progress)
        else:
            extractor = load_model(model, device=device, threads=threads)
            report = extract_images(extractor, records, out, overwrite=overwrite, options={"device": device}, progress=progress)
    failures = report["failures"]
    if failures and report["vectors"]:
        warn((f"{len(failures)} of {report['images']} images cannot be read and are left out; {out}.report.json names them",))
    say(
        f"{report['vectors']} images, {report['embedding_size']} numbers each, {report['images_per_second']:.0f} images/s: "
        f"{out}.{'parquet' if ray else 'npy'}, {out}.csv, {out}.report.json"
    )
    accounting = records.accounting.without(UNREADABLE, len(failures))
    write_result(json, report, accounting if report["vectors"] else None)
    if failures and not report["vectors"]:
        raise ImageError(f"none of {report['images']} images could be read; {out}.report.json names them")
