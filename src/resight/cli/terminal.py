"""Output of the verbs: lines, tables and files."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from resight.compute import first_process

if TYPE_CHECKING:
    from rich.table import Table

    from resight.datasets import Accounting, Dataset, Records
    from resight.progress import Progress
    from resight.tradeoff.report import Report

T = TypeVar("T", "Dataset", "Records")

__all__ = [
    "account",
    "check_writable",
    "say",
    "show",
    "show_report",
    "shown",
    "skip_unreadable",
    "table",
    "use_threads",
    "warn",
    "write_report",
    "write_result",
]


def say(text: str) -> None:
    """Print one line."""
    if first_process():
        sys.stdout.write(_printable(text) + "\n")


def warn(warnings: tuple[str, ...]) -> None:
    """Print notes on standard error."""
    for warning in warnings if first_process() else ():
        sys.stderr.write(f"resight: note: {_printable(warning)}\n")


def account(accounting: Accounting) -> None:
    """Say how many files were there, how many are used, and why not the rest: the last line of a command that reads files.

    Raises
    ------
    DatasetError
        If files were there and none is used.
    """
    from resight.errors import DatasetError

    say(str(accounting))
    if accounting.there and not accounting.used:
        raise DatasetError(f"no file can be used; {accounting}")


def table(title: str, headings: list[str], rows: list[list[str]]) -> Table:
    """A table with text in the first column and figures in the others."""
    from rich.table import Table
    from rich.text import Text

    # Text, because a name such as "[hall]" is not a style.
    table = Table(title=Text(_printable(title), style="table.title"), title_justify="left")
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="left" if number == 0 else "right", no_wrap=number == 0)
    for row in rows:
        table.add_row(*(Text(_printable(cell)) for cell in row))
    return table


def show(table: Table) -> None:
    """Print a table; in a pipe at any width, so that nothing is cut off."""
    from rich.console import Console

    console = Console()
    Console(width=None if console.is_terminal else 200).print(table)


def show_report(title: str, report: Report) -> None:
    """Print the rows of a trade-off or benchmark, then each failure and its reason."""
    from resight.tradeoff.report import on_threads
    from resight.tradeoff.tables import cells

    show(table(title, *cells(report, brief=True)))
    for failure in report.failures:
        say(f"{failure.model}, {on_threads(failure.threads)}, failed: {failure.reason}")
    warn(report.warnings)


def write_report(report: Report, folder: Path, name: str) -> list[Path]:
    """Write a report with `resight.tradeoff.tables.save_report`, and print a note if matplotlib is missing for the picture."""
    from resight.tradeoff.tables import save_report

    written = save_report(report, folder, name)
    if any(row.map is not None for row in report.rows) and not any(path.suffix == ".png" for path in written):
        warn(("no picture: it needs matplotlib, which is not installed; in the folder of Resight, pip install '.[train]'",))
    return written


def check_writable(*paths: Path | None) -> None:
    """Refuse files that cannot be written, before the work begins. Leaves nothing behind.

    Raises
    ------
    StorageError
        If one is a folder, or no file can be made in its place.
    """
    from resight.errors import StorageError

    for path in filter(None, paths):
        try:
            if path.is_dir():
                raise StorageError(f"cannot write {path}: it is a folder; name a file")
            folder = next(parent for parent in path.absolute().parents if parent.exists())
            tempfile.TemporaryFile(dir=folder).close()
        except OSError as error:
            raise StorageError(f"cannot write {path}: {error.strerror or error}; choose another place") from error


def skip_unreadable(images: T, *parts: str, progress: Progress) -> T:
    """Leave out images that cannot be read, of some parts of a data set or of a list, and print their names."""
    from resight.datasets import Dataset
    from resight.datasets.accounting import UNREADABLE
    from resight.datasets.inspect import unreadable

    found: dict[str, str] = unreadable(images.paths(*parts) if isinstance(images, Dataset) else images.paths, progress=progress)
    lines: list[str] = [f"{path}: {reason}; it is left out" for path, reason in list(found.items())[:20]]
    warn((*lines, *([f"and {len(found) - 20} more are left out; `resight dataset inspect` names them"] if len(found) > 20 else [])))
    return images.without(found, UNREADABLE)


def write_result(path: Path | None, values: Any, accounting: Accounting | None = None) -> None:
    """Write a result to the file of `--json`, if it is given, and print and store the accounting of the files that were read."""
    if path is not None and first_process():
        from resight.files import write_json

        write_json(path, values if accounting is None else values | {"files": accounting.to_dict()})
    if accounting is not None:
        account(accounting)


def shown(gallery: str) -> str:
    """Return a gallery's location without user names and passwords, or parts that may belong to one."""
    if "://" not in gallery:
        return gallery
    try:
        parts = urlsplit(gallery)
        sure = "@" not in parts.path + parts.query + parts.fragment  # a password with a stroke ends the host too early
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}" if sure else f"{parts.scheme}://..."
    except ValueError:
        return f"{gallery.partition('://')[0]}://..."


def use_threads(threads: int) -> None:
    """Set PyTorch's number of threads; 0 leaves it as it is."""
    if threads > 0:
        import torch

        torch.set_num_threads(threads)


def _printable(text: str) -> str:
    """Text without characters that move the cursor or cannot be printed."""
    return "".join(letter if letter.isprintable() or letter == "\n" else "\ufffd" for letter in text)
