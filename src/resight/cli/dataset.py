"""`resight dataset`: look at data sets."""

from __future__ import annotations

from pathlib import Path

from resight.cli.options import Layout, NamePattern
from resight.cli.terminal import check_writable, say, show, table, warn, write_result
from resight.progress import TerminalProgress

__all__ = ["inspect"]


def inspect(*data: Path, layout: Layout = "auto", name_pattern: NamePattern = "", json: Path | None = None) -> None:
    """Count what a data set holds: images, identities, cameras, junk, distractors, unreadable files.

    Parameters
    ----------
    data
        Folder of a data set, or a table. Several are taken together.
    json
        Also write the findings to this file.
    """
    from resight.datasets import inspect as inspect_dataset
    from resight.datasets import open_dataset

    check_writable(json)
    dataset = open_dataset(data, layout, name_pattern=name_pattern)
    with TerminalProgress() as progress:
        found = inspect_dataset(dataset, progress=progress)
    values = found.to_dict()
    headings = ["images", "identities", "cameras", "junk", "distractors"]
    rows = [[part, *(str(values[part][heading]) for heading in headings)] for part in ("train", "query", "gallery", "total")]
    show(table(f"{found.name}: {', '.join(map(str, data))}", ["", *headings], rows))
    if found.splits > 1:
        say(f"the first of {found.splits} random divisions is shown")
    say(f"queries without a match: {found.unmatched_queries}; duplicate files: {found.duplicates}")
    say(f"unreadable files: {len(found.unreadable)}")
    for path, reason in found.unreadable[:20]:
        say(f"  {path}: {reason}")
    warn(found.warnings)
    write_result(json, values, found.accounting)
