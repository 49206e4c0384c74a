"""Results as people see them in a terminal and in a notebook."""

from __future__ import annotations

import html
from collections.abc import Sequence

__all__ = ["html_table", "text_table"]


def text_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out rows in columns of equal width, under their headings."""
    lines = [list(headings), *map(list, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def html_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write rows as an HTML table; all text is escaped."""

    def line(tag: str, cells: Sequence[str]) -> str:
        return f"<tr>{''.join(f'<{tag}>{html.escape(cell)}</{tag}>' for cell in cells)}</tr>"

    return f"<table>{line('th', headings)}{''.join(line('td', row) for row in rows)}</table>"
