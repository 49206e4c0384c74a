"""What is typed of the paper against the paper's text, where it is at hand, and against itself."""

from __future__ import annotations

import re
from functools import cache

import pytest

from resight.studies.ruiz2019.experiments import DATASETS, title_of
from resight.studies.ruiz2019.published import CLAIMS, OTHERS, TABLE_1, TABLE_2, TABLE_3, TABLE_4, TIMING, Published
from support import SHARED, needs_shared


@cache
def paper() -> str:
    (file,) = (SHARED / "paper").glob("*.txt")
    return file.read_text(encoding="utf-8")


def plain(cell: str) -> str:
    """A cell without markup: letters, digits and points."""
    cell = re.sub(r"</?b>|\\bf|\\mathrm|\[\d+\]", "", cell)
    return re.sub(r"[^A-Za-z0-9.+-]", "", cell)


def tables() -> list[dict[str, dict[str, tuple[float, ...]]]]:
    """Tables 1 to 4 of the text: rows of figures by data set and by the plain name of the row."""
    found: list[dict[str, dict[str, tuple[float, ...]]]] = []
    rows: dict[str, tuple[float, ...]] = {}
    for line in paper().splitlines():
        if line.startswith("Table "):
            found.append({})
        first, *cells = line.split("\t")
        if len(cells) < 2:
            continue
        if "%" in line:
            rows = found[-1][plain(first)] = {}
            continue
        figures = [plain(cell) for cell in cells]
        name = plain(first) + (plain(cells[0]) if not figures[0][0].isdigit() else "")
        rows[name] = tuple(float(figure) for figure in figures if re.fullmatch(r"[\d.]+", figure))
    return found


def row(published: Published) -> tuple[float, ...]:
    return tuple(value for value in published if value is not None)


def by_title(dataset: str) -> str:
    return plain(DATASETS[dataset])


@needs_shared("paper")
def test_the_tables_are_those_of_the_paper() -> None:
    first, second, third, fourth = tables()
    assert {name[4:8].lower(): figures for name, figures in first["Features"].items()} == {
        {"euclidean": "eucl", "kissme": "kiss", "xqda": "xqda"}[name]: row(published) for name, published in TABLE_1.items()
    }
    for dataset in DATASETS:
        printed = {plain(title_of(name)): row(published) for name, published in TABLE_2[dataset].items()}
        if dataset == "dukemtmc":  # the copy at hand ends a row earlier
            assert printed.pop("MobileNet1.0") == fourth["DukeMTMC-reID"]["MobileNet1.0independent"]
        assert second[by_title(dataset)] == printed
        expected = {f"MobileNet0.25distilledfrom{plain(title_of(name))}": row(p) for name, p in TABLE_3[dataset].items()}
        expected |= {plain(name): row(published) for name, published in OTHERS[dataset].items()}
        assert third[by_title(dataset)] == expected
        assert fourth[by_title(dataset)] == {plain(name): row(published) for name, published in TABLE_4[dataset].items()}


@needs_shared("paper")
def test_its_sentences_are_in_the_paper() -> None:
    text = " ".join(paper().replace("$\\lambda$", "λ").split()).replace(" ,", ",")
    for claim in CLAIMS.values():
        assert claim in text, claim
    for sentence in ("takes 892 seconds", "mean time of 1,951 ms", "is 17.5ms", "rate of 57 images/s"):
        assert sentence in text
    assert TIMING == {"lomo_ms": 17.5, "lomo_images_per_second": 57, "xqda_fit_seconds": 892, "query_ms": 1951}


@pytest.mark.parametrize("dataset", DATASETS)
def test_table_4_repeats_the_others(dataset: str) -> None:
    table = TABLE_4[dataset]
    assert table["ResNet-50"] == TABLE_2[dataset]["resnet-50"]
    assert table["MobileNet 1.0 independent"] == TABLE_2[dataset]["mobilenet-1.0"]
    assert table["MobileNet 0.25 independent"] == TABLE_2[dataset]["mobilenet-0.25"]
    for teacher, published in TABLE_3[dataset].items():
        assert table[f"MobileNet 0.25 d.f. {title_of(teacher)}"][:2] == published[:2]
    if dataset == "market1501":
        assert table["LOMO + XQDA"][:2] == TABLE_1["xqda"][:2]
