"""`resight extract`."""

from __future__ import annotations

from pathlib import Path

from resight.cli.options import DeviceName
from resight.cli.terminal import say, use_threads, write_result
from resight.progress import TerminalProgress

__all__ = ["extract"]


def extract(
    *, model: str, images: Path, out: Path, device: DeviceName = "auto", threads: int = 0, json: Path | None = None
) -> None:
    """Turn images into vectors: OUT.npy (float32, a row an image) and OUT.csv (path, identity, camera).

    Parameters
    ----------
    model
        Run folder, or NETWORK:FILE with foreign weights.
    images
        Folder of a data set (query and gallery are extracted), or any folder with images in it.
    out
        Name of the files to write, without ending.
    device
        Where to compute.
    threads
        CPU threads; 0 leaves it to PyTorch.
    json
        Also write counts, speed and provenance to this file.
    """
    import time

    from resight.features.extraction import embed_files, find_images, save_vectors
    from resight.models import load_model
    from resight.provenance import provenance

    use_threads(threads)
    extractor = load_model(model, device=device)
    records = find_images(images)
    with TerminalProgress() as progress:
        start = time.perf_counter()
        vectors = embed_files(extractor, records.paths, progress=progress)
        seconds = time.perf_counter() - start
    save_vectors(out, vectors, records)
    say(
        f"{len(vectors)} images, {extractor.embedding_size} numbers each, {len(vectors) / seconds:.0f} images/s: "
        f"{out}.npy, {out}.csv"
    )
    result = {"model": extractor.name, "model_sha256": extractor.sha256, "images": len(vectors), "seconds": seconds}
    write_result(json, result | {"provenance": provenance({"model": model})})
