"""Figures 2, 5, 6, 7 and 10 beside ours, with the sentences of the text and what our runs say to them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import torch

from resight.distillation.targets import entropy
from resight.studies.perform import TEMPERATURES_SHOWN
from resight.studies.ruiz2019.experiments import DATASETS, distilled_name, title_of
from resight.studies.ruiz2019.outcomes import NOT_RUN, Outcomes
from resight.studies.ruiz2019.report.beside import claims, figure
from resight.studies.ruiz2019.report.pages import Picture, Section, Table
from resight.studies.ruiz2019.report.pictures import draw_dimensions, draw_distributions, draw_losses, draw_tradeoff, shares
from resight.studies.ruiz2019.report.tables import tradeoff_rows

__all__ = ["figure_6", "figure_7", "figure_10", "figures_2_and_5"]

_FIGURE_6 = {"a": 0.0001, "b": 0.1}


def figures_2_and_5(outcomes: Outcomes) -> Section:
    """Soft targets of the teachers at T = 1, 3, 5, 10, 20, 30."""
    pictures, rows = [], []
    data: dict[str, Any] = {}
    flat = ""
    uniform = 0.0
    for dataset, title in DATASETS.items():
        for teacher in outcomes.teachers(dataset):
            found = outcomes.get(dataset, teacher).distributions
            name = f"{title_of(teacher)}, {title}"
            if found is None:
                rows.append((name, *[NOT_RUN] * len(TEMPERATURES_SHOWN)))
                data[f"{dataset} {teacher}"] = None
                continue
            logits = np.array(found["logits"], np.float64)
            means = found["entropy"]["nats"]
            panels = [(float(t), float(entropy(torch.from_numpy(logits), t)), means[f"{t:g}"]) for t in TEMPERATURES_SHOWN]
            pictures.append(
                Picture(
                    name=f"figures-2-and-5-{dataset}-{teacher}",
                    caption=f"{name}: probabilities of all identities for one training image, from T = 1 above to T = 30 below",
                    png=draw_distributions(name, logits, panels),
                )
            )
            rows.append((name, *(f"{mean:.2f}" for _, _, mean in panels)))
            uniform = found["entropy"]["uniform"]
            hottest = shares(logits, 30)
            gap = 100 * (hottest.max() - hottest.min())
            flat += f"{name}: {gap:.3f} % between the most and the least probable identity of that image. "
            data[f"{dataset} {teacher}"] = {
                "image": {f"{t:g}": value for t, value, _ in panels},
                "mean": {f"{t:g}": mean for t, _, mean in panels},
                "uniform": uniform,
                "largest_difference_at_30_percent": gap,
            }
    headings = ("mean entropy (nats)", *(f"T = {t:g}" for t in TEMPERATURES_SHOWN))
    most = f" The largest possible entropy is {uniform:.2f}." if uniform else ""
    return Section(
        key="figures-2-and-5",
        title="Figures 2 and 5: the teacher's distribution at rising temperature",
        paragraphs=(
            "The image drawn is the one whose entropy at T = 1 is the median of up to 1,024 training images; the table is the mean "
            "over them." + most,
        ),
        tables=(Table(caption="", headings=headings, rows=tuple(rows)), claims({"flat": flat.strip()})),
        pictures=tuple(pictures),
        data=data,
    )


def figure_6(outcomes: Outcomes) -> Section:
    """The two terms of the loss, at low and at high lambda."""
    dataset = "market1501"
    pictures, text = [], []
    data: dict[str, Any] = {}
    said = {"low": "", "high": ""}
    for teacher in outcomes.teachers(dataset):
        if not any(found.run.name == distilled_name(teacher, 3, _FIGURE_6["b"]) for found in outcomes.all):
            continue
        panels = []
        for letter, hard_weight in _FIGURE_6.items():
            found = outcomes.get(dataset, distilled_name(teacher, 3, hard_weight))
            rows = found.history
            panels.append((f"({letter}) lambda = {hard_weight:g}", hard_weight, rows))
            data[found.run.name] = [{name: row[name] for name in ("epoch", "loss", "soft", "hard")} for row in rows] or None
            if not rows:
                text.append(f"{found.run.name}: {NOT_RUN} ({found.reason}).")
                continue
            soft = rows[0]["soft"] - rows[-1]["soft"]
            hard = hard_weight * (rows[0]["hard"] - rows[-1]["hard"])
            said["low" if letter == "a" else "high"] += (
                f"From {title_of(teacher)}, epochs 1 to {rows[-1]['epoch']}: the distillation term falls by {soft:.3f} nats, "
                f"lambda x cross-entropy by {hard:.3f}. "
            )
        if any(rows for _, _, rows in panels):
            caption = f"The two terms of the loss, MobileNet 0.25 from {title_of(teacher)} at T = 3"
            pictures.append(Picture(name=f"figure-6-{teacher}", caption=caption, png=draw_losses(panels)))
    return Section(
        key="figure-6",
        title="Figure 6: the two terms of the loss at low and high lambda",
        paragraphs=("The paper does not say at which T: here 3. Means over each epoch's training batches.", *text),
        tables=(claims({name: line.strip() for name, line in said.items()}),),
        pictures=tuple(pictures),
        data=data,
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
        png=draw_dimensions(curve),
    )
    return Section(
        key="figure-7",
        title=title,
        tables=(Table(caption="", headings=("dimensions", "Rank-1 (%)", "mAP (%)"), rows=rows), claims({"dimensions": said})),
        pictures=(picture,),
        data={"by_dimension": curve},
    )


def figure_10(outcomes: Outcomes) -> Section:
    """mAP against time."""
    pictures, data, text = [], {}, []
    said = []
    for dataset, title in DATASETS.items():
        rows = tradeoff_rows(outcomes, dataset)
        here = {}
        for name, (_, found, _) in rows.items():
            speed, mean = found["images_per_second"], found["map"]
            if speed is not None and mean is not None:
                here[name] = 1000 / speed, mean
        paper = {
            name: (1000 / published.images_per_second, published.map)
            for name, (published, _, _) in rows.items()
            if published is not None and published.images_per_second
        }
        data[dataset] = {name: None if name not in here else {"milliseconds": here[name][0], "map": here[name][1]} for name in rows}
        if not here:
            text.append(f"{title}: {NOT_RUN}; only the paper's points are drawn.")
        else:
            best, fastest = max(here, key=lambda name: here[name][1]), min(here, key=lambda name: here[name][0])
            said.append(f"{title}, {len(here)} of {len(rows)} methods: highest mAP {best}, fastest {fastest}.")
        caption = f"mAP against the time for one image on {title}"
        pictures.append(Picture(name=f"figure-10-{dataset}", caption=caption, png=draw_tradeoff(title, here, paper)))
    return Section(
        key="figure-10",
        title="Figure 10: the trade-off",
        paragraphs=("The points are those of Table 4; hollow ones are the paper's, on its own hardware.", *text),
        tables=(claims({"best": " ".join(said)}),),
        pictures=tuple(pictures),
        data=data,
    )
