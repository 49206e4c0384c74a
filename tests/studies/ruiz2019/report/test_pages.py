"""A report as HTML that needs no other file, and as Markdown: nothing in it is taken for markup."""

from __future__ import annotations

import base64
from html.parser import HTMLParser

import cv2
import numpy as np

from resight.studies.ruiz2019.report.pages import Picture, Section, Table, as_html, as_markdown

HOSTILE = "<script>alert('x')</script> | *a* & \"b\" [c](d) `e`"
PNG = cv2.imencode(".png", np.zeros((4, 6, 3), np.uint8))[1].tobytes()


class Reader(HTMLParser):
    """Collects text, attributes and tags, and checks that tags are closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.cells: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in ("meta", "img", "link", "br"):
            self.open.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("td", "th"):
            self.cells[-1] += data


def sections() -> list[Section]:
    table = Table(caption=HOSTILE, headings=("", HOSTILE), rows=(("a", "not run"), (HOSTILE, "1.00")))
    picture = Picture(name="p", caption=HOSTILE, png=PNG)
    return [Section(key="one", title=HOSTILE, paragraphs=(HOSTILE,), tables=(table,), pictures=(picture,))]


def test_the_html_is_whole_and_alone() -> None:
    page = Reader(as_html("Title", sections(), "not run"))
    assert page.open == []
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    assert page.cells == ["", HOSTILE, "a", "not run", HOSTILE, "1.00"]
    assert ("class", "missing") in page.attributes
    sources = [value for name, value in page.attributes if name in ("src", "href", "srcset", "data")]
    assert sources[0] == "#one"
    kind, _, data = sources[1].partition(",")
    assert kind == "data:image/png;base64"
    assert cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR).shape == (4, 6, 3)
    assert len(sources) == 2


def test_markdown_has_as_many_cells_in_every_row() -> None:
    text = as_markdown("Title", sections(), "pictures")
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len(lines) == 4
    for line in lines:
        assert line.replace("\\|", "").count("|") == 3
    assert "](pictures/p.png)" in text
    assert "<script" not in text.replace("\\<", "")
