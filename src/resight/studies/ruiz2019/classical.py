"""The classical side of the paper beside ours: Table 1, the times of section 5, and Figure 7."""

from __future__ import annotations

from itertools import pairwise

from resight.studies.ruiz2019.beside import SCORES, Beside, claims, figure
from resight.studies.ruiz2019.classical_side import PAPER_TABLE_1
from resight.studies.ruiz2019.outcomes import NOT_RUN, Outcomes
from resight.studies.ruiz2019.pages import Picture, Section, Table
from resight.studies.ruiz2019.pictures import draw_dimensions
from resight.studies.ruiz2019.published import TIMING

__all__ = ["figure_7", "table_1", "timing"]


def table_1(outcomes: Outcomes) -> Section:
    """LOMO with three ways of comparing."""
    outcome = outcomes.get("market1501", "classical")
    test = outcome.classical
    table = Beside("LOMO, compared by", SCORES)
    titles = {"euclidean": "Euclidean distance", "kissme": "KISSME", "xqda": "XQDA (paper: dimensionality 75)"}
    for name, (rank1, mean) in PAPER_TABLE_1.items():
        here = {score: None if test is None else float(test[name][score]) for score in SCORES}
        table.add(titles[name], {"rank1": rank1, "map": mean}, here, outcome.reason)
    text = f"{NOT_RUN}: {outcome.reason}"
    if test is not None and outcome.scores is not None:
        text = (
            f"Retinex, chosen on held-out identities: {outcome.scores['chosen']}. XQDA has {test['xqda']['dimensions']} dimensions."
        )
    return Section(
        key="table-1",
        title="Table 1: LOMO and XQDA on Market-1501",
        paragraphs=(text,),
        tables=(table.table(""),),
        data=table.data,
    )


def timing(outcomes: Outcomes) -> Section:
    """The times that section 5 gives for the classical way."""
    outcome = outcomes.get("market1501", "classical")
    test, record = outcome.classical, outcome.scores
    here: dict[str, float | None] = dict.fromkeys(TIMING)
    if test is not None and record is not None:
        milliseconds = record["timing"][f"{record['chosen']}_1_workers_ms"]
        here = {
            "lomo_ms": milliseconds,
            "lomo_images_per_second": 1000 / milliseconds,
            "xqda_fit_seconds": test["seconds"]["xqda_fit"],
            "query_ms": 1000 * test["seconds"]["one_query_with_projection"],
        }
    titles = {
        "lomo_ms": "LOMO, one image on one core (ms)",
        "lomo_images_per_second": "LOMO, images/s on one core",
        "xqda_fit_seconds": "XQDA, fit to the training images (s)",
        "query_ms": "one query against the gallery, with its projection (ms)",
    }
    digits = dict.fromkeys(titles, 2) | {"lomo_images_per_second": 0, "xqda_fit_seconds": 0}
    rows = tuple((title, f"{TIMING[name]:g}", figure(here[name], digits[name])) for name, title in titles.items())
    table = Table(caption="", headings=("", "paper", "here"), rows=rows)
    return Section(
        key="timing",
        title="Section 5: what the classical way costs",
        paragraphs=("The paper's processor is an Intel Core i5-6300U; the descriptor is timed from the decoded image.",),
        tables=(table,),
        data={name: {"paper": TIMING[name], "here": here[name]} for name in titles},
    )


def figure_7(outcomes: Outcomes) -> Section:
    """XQDA against its dimensions."""
    outcome = outcomes.get("market1501", "classical")
    test = outcome.classical
    title = "Figure 7: LOMO + XQDA against the dimensions of XQDA"
    if test is None:
        return Section(
            key="figure-7",
            title=title,
            paragraphs=(f"{NOT_RUN}: {outcome.reason}",),
            tables=(claims({"dimensions": ""}),),
            data={"by_dimension": None},
        )
    curve = test["by_dimension"]
    rises = sum(after["rank1"] > before["rank1"] for before, after in pairwise(curve))
    ends = [f"{figure(row['rank1'])} with {row['dimensions']}" for row in (curve[0], curve[-1])]
    said = f"Rank-1 rises at {rises} of {len(curve) - 1} steps, from {ends[0]} dimensions to {ends[1]}."
    rows = tuple((str(row["dimensions"]), figure(row["rank1"]), figure(row["map"])) for row in curve)
    picture = Picture(
        name="figure-7",
        caption="Rank-1 and mAP of LOMO + XQDA against the dimensions of XQDA",
        png=draw_dimensions(curve, PAPER_TABLE_1["xqda"]),
    )
    return Section(
        key="figure-7",
        title=title,
        tables=(Table(caption="", headings=("dimensions", "Rank-1 (%)", "mAP (%)"), rows=rows), claims({"dimensions": said})),
        pictures=(picture,),
        data={"by_dimension": curve},
    )
