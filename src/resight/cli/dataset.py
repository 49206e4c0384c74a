"""`resight dataset`: look at data sets."""

from __future__ import annotations

from pathlib import Path

from resight.cli.options import Layout
from resight.cli.terminal import say, show, table, warn, write_result
from resight.progress import TerminalProgress

__all__ = ["inspect"]


def inspect(data: Path, *, layout: Layout = "auto", json: Path | None = None) -> None:
    """Count what a folder holds: images, identities, cameras, junk, distractors, unreadable files.

    Parameters
    ----------
    data
        Folder of a data set, or a CSV.
    json
        Also write the findings to this file.
    """
    from resight.datasets import inspect as inspect_dataset
    from resight.datasets import open_dataset

    with TerminalProgress() as progress:
        found = inspect_dataset(open_dataset(data, layout), progress=progress)
    values = found.to_dict()
    headings = ["images", "identities", "cameras", "junk", "distractors"]
    rows = [[part, *(str(values[part][heading]) for heading in headings)] for part in ("train", "query", "gallery")]
    show(table(f"{found.name}: {data}", ["", *headings], rows))
    if found.splits > 1:
        say(f"the first of {found.splits} random divisions is shown")
    say(f"queries without a match: {found.unmatched_queries}; duplicate files: {found.duplicates}")
    say(f"unreadable files: {len(found.unreadable)}")
    for path, reason in found.unreadable[:20]:
        say(f"  {path}: {reason}")
    warn(found.warnings)
    write_result(json, values)
