"""A report as sections of text, tables and pictures, written as one HTML file or as Markdown."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Picture", "Section", "Table", "as_html", "as_markdown"]

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --faint: #767676; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
h1 { line-height: 1.2; } h2 { margin-top: 3rem; border-bottom: 1px solid var(--line); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: .3rem 0; }
th, td { padding: .2rem .7rem; text-align: right; border-bottom: 1px solid var(--line); }
th { vertical-align: bottom; } th:first-child, td:first-child { text-align: left; }
table.text th, table.text td { text-align: left; vertical-align: top; }
.missing { color: var(--faint); font-style: italic; }
figure { margin: 1rem 0; } img { max-width: 100%; height: auto; background: #fff; }
figcaption { color: var(--faint); } nav li { display: inline-block; margin-right: 1rem; } nav ul { padding: 0; }
"""


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of cells, which are text already.

    Attributes
    ----------
    caption : str
    headings : tuple of str
    rows : tuple of tuple of str
        The first cell of a row names it.
    text : bool
        True if the cells are sentences and not figures.
    """

    caption: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    text: bool = False


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A PNG and its caption.

    Attributes
    ----------
    name : str
        Name of its file, without ending.
    caption : str
        Description of the picture in words.
    png : bytes
    """

    name: str
    caption: str
    png: bytes


@dataclass(frozen=True, kw_only=True)
class Section:
    """A table or figure of the paper, beside ours.

    Attributes
    ----------
    key : str
        Name in the JSON report.
    title : str
    paragraphs : tuple of str
    tables : tuple of Table
    pictures : tuple of Picture
    data : dict
        The same figures as plain JSON values; None for those not run.
    """

    key: str
    title: str
    paragraphs: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    pictures: tuple[Picture, ...] = ()
    data: dict[str, Any] = field(default_factory=dict)


def as_html(title: str, sections: Sequence[Section], missing: str) -> str:
    """One HTML file that needs no other: embedded pictures, no script, nothing from the network.

    Parameters
    ----------
    title : str
    sections : sequence of Section
    missing : str
        Text of the cells to set apart.
    """
    contents = "".join(f'<li><a href="#{section.key}">{_escaped(section.title.partition(":")[0])}</a></li>' for section in sections)
    body = "".join(_section(section, missing) for section in sections)
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{_escaped(title)}</title>\n'
        f"<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{_escaped(title)}</h1>\n<nav><ul>{contents}</ul></nav>\n{body}</body>\n</html>\n"
    )


def _section(section: Section, missing: str) -> str:
    parts = [f'<section id="{section.key}">\n<h2>{_escaped(section.title)}</h2>\n']
    parts += [f"<p>{_escaped(text)}</p>\n" for text in section.paragraphs]
    parts += [_table(table, missing) for table in section.tables]
    for picture in section.pictures:
        data = base64.b64encode(picture.png).decode()
        caption = _escaped(picture.caption)
        image = f'<img alt="{caption}" src="data:image/png;base64,{data}">'
        parts.append(f"<figure>{image}<figcaption>{caption}</figcaption></figure>\n")
    return "".join([*parts, "</section>\n"])


def _table(table: Table, missing: str) -> str:
    kind = ' class="text"' if table.text else ""
    head = "".join(f'<th scope="col">{_escaped(heading)}</th>' for heading in table.headings)
    rows = []
    for row in table.rows:
        cells = (f'<td class="missing">{_escaped(cell)}</td>' if cell == missing else f"<td>{_escaped(cell)}</td>" for cell in row)
        rows.append(f"<tr>{''.join(cells)}</tr>\n")
    caption = f"<caption>{_escaped(table.caption)}</caption>" if table.caption else ""
    body = f"<thead><tr>{head}</tr></thead>\n<tbody>\n{''.join(rows)}</tbody>"
    return f'<div class="wide"><table{kind}>{caption}{body}</table></div>\n'


def _escaped(text: str) -> str:
    return html.escape(text, quote=True)


def as_markdown(title: str, sections: Sequence[Section], pictures: str) -> str:
    """The same as Markdown, with pictures in files.

    Parameters
    ----------
    title : str
    sections : sequence of Section
    pictures : str
        Folder of the pictures, as seen from the Markdown file.
    """
    parts = [f"# {title}\n"]
    for section in sections:
        parts.append(f"## {_plain(section.title)}\n")
        parts += [f"{_plain(text)}\n" for text in section.paragraphs]
        for table in section.tables:
            if table.caption:
                parts.append(f"**{_plain(table.caption)}**\n")
            rule = ["---", *(("---" if table.text else "---:") for _ in table.headings[1:])]
            lines = [table.headings, rule, *table.rows]
            parts.append("".join(f"| {' | '.join(map(_plain, line))} |\n" for line in lines))
        parts += [f"![{_plain(picture.caption)}]({pictures}/{picture.name}.png)\n" for picture in section.pictures]
    return "\n".join(parts)


def _plain(text: str) -> str:
    """Text with Markdown's special characters escaped."""
    for mark in "\\|*_<[`":
        text = text.replace(mark, "\\" + mark)
    return text
