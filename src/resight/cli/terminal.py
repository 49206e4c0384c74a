"""What verbs say and write."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

    from resight.tradeoff.report import Report

__all__ = ["say", "show", "show_report", "table", "use_threads", "warn", "write_result"]


def say(text: str) -> None:
    """One line on the standard output."""
    sys.stdout.write(text + "\n")


def warn(warnings: tuple[str, ...]) -> None:
    """Notes on the standard error."""
    for warning in warnings:
        sys.stderr.write(f"resight: note: {warning}\n")


def table(title: str, headings: list[str], rows: list[list[str]]) -> Table:
    """A table whose first column is text and whose others are figures."""
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="left" if number == 0 else "right", no_wrap=number == 0)
    for row in rows:
        table.add_row(*row)
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


def write_result(path: Path | None, values: Any) -> None:
    """What `--json FILE` asks for."""
    if path is not None:
        from resight.files import write_json

        write_json(path, values)


def use_threads(threads: int) -> None:
    """PyTorch's threads; 0 leaves them as they are."""
    if threads > 0:
        import torch

        torch.set_num_threads(threads)
