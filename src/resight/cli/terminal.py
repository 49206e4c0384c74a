"""What verbs say and write."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

    from resight.datasets import Accounting
    from resight.tradeoff.report import Report

__all__ = [
    "account",
    "check_writable",
    "say",
    "show",
    "show_report",
    "table",
    "use_threads",
    "warn",
    "write_report",
    "write_result",
]


def say(text: str) -> None:
    """One line on the standard output."""
    sys.stdout.write(_printable(text) + "\n")


def warn(warnings: tuple[str, ...]) -> None:
    """Notes on the standard error."""
    for warning in warnings:
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
    """A table whose first column is text and whose others are figures."""
    from rich.table import Table
    from rich.text import Text

    # Text, because names of people, cameras and files are not ours, and "[hall]" is no style.
    table = Table(title=Text(_printable(title), style="table.title"), title_justify="left")
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="left" if number == 0 else "right", no_wrap=number == 0)
    for row in rows:
        table.add_row(*(Text(_printable(cell)) for cell in row))
    return table


def show(table: Table) -> None:
    """Print a table, at any width where nobody looks at it."""
    from rich.console import Console

    console = Console()
    # In a pipe there is no width to fit into: let nothing be cut off.
    Console(width=None if console.is_terminal else 200).print(table)


def show_report(title: str, report: Report) -> None:
    """The rows of a trade-off or benchmark, then what failed and why."""
    from resight.tradeoff.report import on_threads
    from resight.tradeoff.tables import cells

    show(table(title, *cells(report, brief=True)))
    for failure in report.failures:
        say(f"{failure.model}, {on_threads(failure.threads)}, failed: {failure.reason}")
    warn(report.warnings)


def write_report(report: Report, folder: Path, name: str) -> list[Path]:
    """See `resight.tradeoff.tables.save_report`; with a note where matplotlib is missing for the picture."""
    from resight.tradeoff.tables import save_report

    written = save_report(report, folder, name)
    if any(row.map is not None for row in report.rows) and not any(path.suffix == ".png" for path in written):
        warn(("no picture: it needs matplotlib, which is not installed; in the folder of Resight, pip install '.[train]'",))
    return written


def check_writable(*paths: Path | None) -> None:
    """Refuse files that cannot be written, before the work whose results they are to hold. Nothing is left behind.

    Raises
    ------
    StorageError
        If one is a folder, or no file can be made where it belongs.
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


def write_result(path: Path | None, values: Any, accounting: Accounting | None = None) -> None:
    """Write the file of `--json`. A command that reads files gives their accounting, which is said first, and called files."""
    if path is not None:
        from resight.files import write_json

        write_json(path, values if accounting is None else values | {"files": accounting.to_dict()})
    if accounting is not None:
        account(accounting)


def use_threads(threads: int) -> None:
    """PyTorch's threads; 0 leaves them as they are."""
    if threads > 0:
        import torch

        torch.set_num_threads(threads)


def _printable(text: str) -> str:
    """Without what would move a terminal's cursor, or is no text."""
    return "".join(letter if letter.isprintable() or letter == "\n" else "\ufffd" for letter in text)
