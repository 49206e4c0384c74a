"""Published figures beside ours: tables of both, and the paper's sentences with our findings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from resight.studies.ruiz2019.outcomes import NOT_RUN, Outcome
from resight.studies.ruiz2019.published import CLAIMS, Published
from resight.studies.ruiz2019.report.pages import Table

__all__ = ["SCORES", "WITH_SPEED", "Beside", "claims", "figure", "found_scores", "published_values"]

SCORES = {"rank1": "Rank-1 (%)", "map": "mAP (%)"}
WITH_SPEED = SCORES | {"images_per_second": "images/s"}
"""Columns: their names in JSON and in tables."""


def figure(value: float | None, digits: int = 2) -> str:
    """A number for a table, or ``not run``."""
    return NOT_RUN if value is None else f"{value:.{digits}f}"


class Beside:
    """A table that grows row by row: the paper's figures beside ours, and both as JSON.

    Parameters
    ----------
    first : str
        Heading of the column with the rows' names.
    columns : dict of str to str
        Columns, such as `SCORES`.

    Attributes
    ----------
    data : dict
        Rows by name: ``paper`` and ``here`` as plain values; None for what was not run.
    """

    def __init__(self, first: str, columns: dict[str, str]) -> None:
        self._columns = columns
        self._headings = (first, *(f"{title}, {whose}" for title in columns.values() for whose in ("paper", "here")))
        self._rows: list[tuple[str, ...]] = []
        self.data: dict[str, dict[str, Any]] = {}

    def add(self, row: str, paper: dict[str, float] | None, here: dict[str, float | None] | None, reason: str = "") -> None:
        """Add a row. `paper` is None if the paper has no such row; `here` is None for methods of others, which are not run."""
        cells = []
        for name in self._columns:
            digits = 0 if name == "images_per_second" else 2
            cells.append("-" if paper is None else figure(paper[name], digits))
            cells.append("-" if here is None else figure(here[name], digits))
        self._rows.append((row, *cells))
        self.data[row] = {"paper": paper, "here": here} | ({"reason": reason} if reason else {})

    def table(self, caption: str) -> Table:
        """All rows so far."""
        return Table(caption=caption, headings=self._headings, rows=tuple(self._rows))


def published_values(published: Published | None, columns: Iterable[str]) -> dict[str, float] | None:
    """A row of the paper by column; None stays None."""
    return None if published is None else {name: float(getattr(published, name)) for name in columns}


def found_scores(outcome: Outcome) -> dict[str, float | None]:
    """Rank-1 and mAP of one run."""
    return {"rank1": outcome.rank1, "map": outcome.map}


def claims(found: dict[str, str]) -> Table:
    """Sentences of the paper beside our findings."""
    rows = tuple((CLAIMS[name], text or NOT_RUN) for name, text in found.items())
    return Table(caption="", headings=("the paper says", "here"), rows=rows, text=True)
