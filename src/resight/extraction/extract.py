"""Many image files to vectors on the disk. The work can be killed at any moment, and goes on when it is started again."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from resight.datasets.image_list import find_images
from resight.datasets.records import DISTRACTOR, JUNK, UNKNOWN, Records
from resight.datasets.tables import MADE_BY_EXTRACT
from resight.errors import ConfigurationError
from resight.extraction.vector_file import VectorFile
from resight.files import atomic_write, printable, read_json, write_json
from resight.images import is_url, states_of
from resight.models.embedding import embed_chunks
from resight.models.model import CHUNK, Model
from resight.progress import Progress, silent
from resight.provenance import provenance

__all__ = ["extract", "finished", "local", "report_of", "table_columns", "work_fingerprint", "write_table"]

_FORMAT = "resight-vectors-1"


def extract(
    model: Model,
    images: Records | str | Path,
    out: str | Path,
    *,
    overwrite: bool = False,
    options: Mapping[str, Any] | None = None,
    checkpoint_seconds: float = 2.0,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Extract the vectors of many images into ``OUT.npy``, ``OUT.csv`` and ``OUT.report.json``.

    ``OUT.npy`` is float32 (n, embedding_size). ``OUT.csv`` has path, identity, camera, what else is known (time, tracklet, split,
    junk) and the model's SHA-256 for each of its rows. Images that cannot be read are left out of both; the report lists them with
    the reason.

    Finished work is not repeated: neither a whole extraction, nor the part done before a kill. The result is the same, byte for
    byte, as without interruption. Memory does not grow with the number of images beyond their names.

    Parameters
    ----------
    model : Model
    images : Records, str or Path
        The images, or a folder, list or image as `resight.datasets.image_list.find_images` reads it.
    out : str or Path
        Name of the files, without ending.
    overwrite : bool
        Replace vectors of another model or other images, finished or not.
    options : mapping, optional
        Anything else that the vectors depend on, such as the device; plain JSON values.
    checkpoint_seconds : float
        Most work that a kill can cost, in seconds.
    progress : Progress

    Returns
    -------
    dict
        Content of ``OUT.report.json``.

    Raises
    ------
    ConfigurationError
        If `out` is not a file name, or if files of other work have these names and `overwrite` is not given.
    DatasetError
        If `images` names nothing that can be read.
    StorageError
        If a file cannot be written, or another process is writing it. Finished work is kept.
    ArrayError
        If a vector holds NaN or infinity.
    """
    records = images if isinstance(images, Records) else find_images(images)
    out = local(out)
    if out.name in ("", ".."):
        raise ConfigurationError(f"{out} is a folder; expected a file name without ending, for example {out / 'vectors'}")
    npy, table, report = (out.with_name(out.name + ending) for ending in (".npy", ".csv", ".report.json"))
    fingerprint = work_fingerprint(model, records, options or {})
    with VectorFile(npy, model.embedding_size, fingerprint, seconds=checkpoint_seconds) as file:
        if not file.begun:
            if not file.foreign and (before := finished(report, fingerprint, npy, table)) is not None:
                progress(f"extracting ({model.name})", len(records), len(records), "finished before")
                return before
            there = [str(path) for path in (npy, table, report) if path.exists()]
            if not overwrite and (file.foreign or there):
                found = f"{', '.join(there)} exist" if there else f"{npy} is unfinished"
                raise ConfigurationError(f"{found}, from another model or other images; choose another --out, or give --overwrite")
            file.start()
        begun, first = time.monotonic(), file.done
        for chunk in embed_chunks(model, records.paths, first=first):
            file.append(chunk.vectors, chunk.failures)
            rate = (file.done - first) / max(time.monotonic() - begun, 1e-9)
            progress(f"extracting ({model.name})", file.done, len(records), f"{rate:.0f} images/s")
        file.flush()
        write_table(table, records, file.failures, model.sha256)
        values = report_of(model, records, file.failures, file.spent, fingerprint, options or {})
        write_json(report, values)
        file.publish()
    return values


def local(out: str | Path) -> Path:
    """Return the path of an output. Raises `ConfigurationError` if it is a URL."""
    if is_url(out):
        raise ConfigurationError(f"{out} is a URL; choose a local --out, and copy the files when they are finished")
    return Path(out)


def report_of(
    model: Model, records: Records, failures: Mapping[int, str], seconds: float, fingerprint: str, options: Mapping[str, Any]
) -> dict[str, Any]:
    """The report of finished work."""
    return {
        "format": _FORMAT,
        "model": model.name,
        "model_sha256": model.sha256,
        "images": len(records),
        "vectors": len(records) - len(failures),
        "embedding_size": model.embedding_size,
        "seconds": seconds,
        "images_per_second": len(records) / seconds,
        "failures": [{"path": printable(records.paths[i]), "reason": failures[i]} for i in sorted(failures)],
        "fingerprint": fingerprint,
        "provenance": provenance(options),
    }


def work_fingerprint(model: Model, records: Records, options: Mapping[str, Any]) -> str:
    """SHA-256 of the work: another model, input size, option, list, label, or a changed file makes it other work."""
    about = [_FORMAT, CHUNK, model.name, model.sha256, model.size, model.embedding_size, sorted(options.items())]
    digest = hashlib.sha256(repr(about).encode())
    remote = states_of(records.paths)
    for path, *labels in zip(records.paths, *_columns(records).values(), strict=True):
        try:
            if (state := remote.get(path, "")) == "":
                status = os.stat(path)
                state = f"{status.st_size} {status.st_mtime_ns}"
        except (OSError, ValueError):
            state = "unreadable"
        digest.update(f"{path}\0{labels} {state}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def finished(report: Path, fingerprint: str, vectors: Path, table: Path) -> dict[str, Any] | None:
    """Read the report of the same work, if it and its files are whole."""
    try:
        values: dict[str, Any] = read_json(report)
        size = sum(file.stat().st_size for file in (vectors.iterdir() if vectors.is_dir() else [vectors]))
        whole = size >= 4 * values["vectors"] * values["embedding_size"] and table.exists()
        return values if values["fingerprint"] == fingerprint and whole else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _columns(records: Records) -> dict[str, list[str]]:
    """The columns of labels as text: identity and camera, and time, tracklet, split and junk if they say anything.

    Unknown people and junk are -1, distractors 0, unknown cameras -1, unless somebody is called so: then the column junk is there.
    """
    names, codes = records.identity_names(), records.identities.tolist()
    confusing = bool({"-1", "0"} & set(names))
    nobody = {JUNK: "" if confusing else str(JUNK), DISTRACTOR: "" if confusing else str(DISTRACTOR)}
    columns = {
        "identity": [nobody.get(code, name) for code, name in zip(codes, names, strict=True)],
        "camera": [name or str(UNKNOWN) for name in records.camera_names()],
    }
    if records.times:
        columns["time"] = ["" if time is None else time.isoformat() for time in records.times]
    if records.tracklets:
        columns["tracklet"] = list(records.tracklets)
    if records.parts:
        columns["split"] = list(records.parts)
    if confusing:
        columns["junk"] = [str(int(code == JUNK)) for code in codes]
    return columns


def table_columns(records: Records, sha256: str, folder: Path) -> dict[str, list[str]]:
    """The columns of a table in `folder`, as text."""
    # Relative paths are relative to the table, as every command reads them; they start from the present folder here.
    paths = [name if os.path.isabs(name) or is_url(name) else os.path.relpath(name, folder) for name in records.paths]
    return {"path": paths, **_columns(records), MADE_BY_EXTRACT: [sha256] * len(paths)}


def write_table(path: Path, records: Records, failures: Mapping[int, str], sha256: str) -> None:
    """Write the table of the images that are not in `failures`. Raises `StorageError`."""
    columns = table_columns(records, sha256, path.parent)
    with atomic_write(path) as stream:
        # File names need not be UTF-8; their bytes are kept.
        text = io.TextIOWrapper(stream, "utf-8", "surrogateescape", newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(columns)
        rows = zip(*columns.values(), strict=True)
        writer.writerows(row for place, row in enumerate(rows) if place not in failures)
        text.detach()
