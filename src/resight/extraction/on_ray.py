"""Many image files to vectors on a Ray cluster, as Parquet shards. Like `resight.extraction.extract`, it goes on after a kill.

A shard holds the vectors of so many consecutive images. A worker gives it its name when it is whole. So the shards that are there
are what is finished, and one that is made twice is the same twice.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import ray
import ray.data

from resight.datasets.records import Records
from resight.errors import ConfigurationError, ResightError, StorageError
from resight.extraction.cluster import Copies, copy_here, joined
from resight.extraction.extract import finished, local, report_of, table_columns, work_fingerprint, write_table
from resight.files import atomic_write, locked, printable, sync_folder, write_json
from resight.images import is_url
from resight.models.embedding import embed_chunks
from resight.models.model import CHUNK, Model
from resight.progress import Progress, silent

__all__ = ["extract_on_ray"]

_SHARD = 16 * CHUNK
_FAILURES = b"failures"


def extract_on_ray(
    copies: Copies,
    records: Records,
    out: str | Path,
    *,
    overwrite: bool = False,
    images_per_shard: int = _SHARD,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Extract the vectors of many images into the folder ``OUT.parquet``, beside ``OUT.csv`` and ``OUT.report.json``.

    The folder is a Parquet data set with the columns of ``OUT.csv`` and ``vector``. Vectors and ``OUT.csv`` are those of
    `resight.extraction.extract.extract`. The report also names the shards and their numbers of vectors.

    All machines must see the images, the model and `out` under the same paths. The cluster runs as many copies of the model as it
    has cores, or GPUs. A copy holds one shard at a time.

    Parameters
    ----------
    copies : Copies
        Model and cluster.
    records : Records
    out : str or Path
        Name of the files, without ending.
    overwrite : bool
        Replace vectors of another model or other images, finished or not.
    images_per_shard : int
        Images in a shard, a multiple of `resight.models.model.CHUNK`.
    progress : Progress

    Returns
    -------
    dict
        Content of ``OUT.report.json``.

    Raises
    ------
    ConfigurationError
        If files of other work have these names and `overwrite` is not given, or if there is no such cluster.
    StorageError
        If a file cannot be written, or another process is writing it. Finished shards are kept.
    ResightError
        If a worker fails, for example because its machine has other weights under the model's name.
    """
    here = copies.load()
    out = local(out).absolute()
    folder, table, report = (out.with_name(out.name + ending) for ending in (".parquet", ".csv", ".report.json"))
    options = {"device": copies.device, "images_per_shard": images_per_shard}
    fingerprint = work_fingerprint(here, records, options)
    partial = folder.with_name(f"{folder.name}.{fingerprint[:16]}.partial")
    stage = f"extracting ({here.name})"
    with _alone(folder):
        others = [path for path in folder.parent.glob(f"{folder.name}.*.partial") if path != partial]
        if not partial.exists():
            if not others and (values := finished(report, fingerprint, folder, table)) is not None:
                progress(stage, len(records), len(records), "finished before")
                return values
            there = [str(path) for path in (folder, table, report) if path.exists()]
            if not overwrite and (others or there):
                found = f"{', '.join(there)} exist" if there else f"{folder} is unfinished"
                raise ConfigurationError(f"{found}, from another model or other images; choose another --out, or give --overwrite")
            partial.mkdir()
        for other in others:
            rmtree(other)
        firsts = range(0, len(records), images_per_shard)
        missing = [first for first in firsts if not (partial / _name(first)).exists()]
        begun, made = time.monotonic(), 0
        done = sum(min(images_per_shard, len(records) - first) for first in firsts if first not in set(missing))
        if missing:
            arguments = {"folder": str(partial), "copies": copies, "sha256": here.sha256}
            rows = _rows(records, here.sha256, table.parent)
            blocks = [rows.slice(first, images_per_shard) for first in missing]
            for images in _run(blocks, arguments, copies):
                made += images
                note = f"{made / max(time.monotonic() - begun, 1e-9):.0f} images/s"
                progress(stage, done + made, len(records), note)
        footers = {first: pq.read_metadata(partial / _name(first)) for first in firsts}
        failures = {
            first + int(row): str(reason)
            for first, footer in footers.items()
            for row, reason in json.loads(footer.metadata[_FAILURES]).items()
        }
        write_table(table, records, failures, here.sha256)
        seconds = time.monotonic() - begun
        values = report_of(here, records, failures, seconds, fingerprint, options) | {"images_per_second": made / seconds}
        values["shards"] = {_name(first): footer.num_rows for first, footer in footers.items()}
        write_json(report, values)
        if folder.exists():
            rmtree(folder)
        os.replace(partial, folder)
        sync_folder(folder.parent)
    return values


def _name(first: int) -> str:
    """Name of the shard that begins with an image."""
    return f"{first:012}.parquet"


def _rows(records: Records, sha256: str, folder: Path) -> pa.Table:
    """Work for the workers: the columns of the table, and the number and the file of each image, whose name need not be UTF-8."""
    columns = table_columns(records, sha256, folder)
    columns["path"] = [printable(path) for path in columns["path"]]
    files = [os.fsencode(path if is_url(path) else os.path.abspath(path)) for path in records.paths]
    return pa.table({**columns, "file": files, "number": range(len(files))})


def _make_shard(block: pa.Table, *, folder: str, copies: Copies, sha256: str) -> pa.Table:
    """Make one shard, in a worker. An error is part of the answer: Ray would keep its text alone, and not its kind."""
    first, error = block["number"][0].as_py(), ""
    try:
        _write_shard(block, copy_here(copies, sha256), Path(folder) / _name(first))
    except ResightError as raised:
        error = str(raised)
    return pa.table({"images": [len(block)], "first": [first], "error": [error]})


def _write_shard(block: pa.Table, extractor: Model, path: Path) -> None:
    chunks: list[pa.Array] = []
    failures: dict[int, str] = {}
    for chunk in embed_chunks(extractor, [os.fsdecode(file) for file in block["file"].to_pylist()]):
        chunks.append(pa.array(chunk.vectors.reshape(-1)))
        failures |= {chunk.start + row: reason for row, reason in chunk.failures.items()}
    vectors = pa.FixedSizeListArray.from_arrays(pa.concat_arrays(chunks), extractor.embedding_size)
    shard = block.drop_columns(["file", "number"]).append_column("vector", vectors)
    kept = [row for row in range(len(shard)) if row not in failures]
    shard = (shard.take(pa.array(kept, pa.int64())) if failures else shard).replace_schema_metadata(
        {_FAILURES: json.dumps(failures)}
    )
    with atomic_write(path) as stream:
        pq.write_table(shard, stream)


def _run(blocks: list[pa.Table], arguments: dict[str, Any], copies: Copies) -> Iterator[int]:
    """Let the workers of a cluster make shards, and count the images of each finished one."""
    with joined(copies.address):
        ray.data.DataContext.get_current().enable_progress_bars = False
        # Tasks, whose processes keep their model: a lost actor would wait for a core, which the other actors never give back.
        results = ray.data.from_arrow(blocks).map_batches(
            _make_shard, fn_kwargs=arguments, batch_size=None, batch_format="pyarrow", **copies.needs
        )
        counted = set()
        for row in results.iter_rows():
            if row["error"]:
                raise ResightError(row["error"])
            if row["first"] not in counted:
                counted.add(row["first"])
                yield row["images"]


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other extractions out."""
    lock = folder.with_name(f"{folder.name}.lock")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with locked(lock):
            try:
                yield
            finally:
                lock.unlink(missing_ok=True)
    except BlockingIOError:
        raise StorageError(f"another extraction is writing {folder}; wait for it, or choose another --out") from None
    except OSError as error:
        raise StorageError(
            f"cannot write {folder}: {error.strerror or error}; free space, then give the same command again: it goes on where it "
            "stopped"
        ) from error
