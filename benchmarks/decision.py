"""Measures what an answer costs and how well its promises hold, on people whom the calibration did not see.

    python benchmarks/decision.py --data /path/to/Market-1501 [--model student] --json results/decision.json

The test people are divided into halves, both ways round, several times: thresholds are fitted to one half, measured on the other.
The cohort is the model's own, or made from training crops. Images ask among images, and tracklets, all images of a person by a
camera, among tracklets.

- ``rows``: present people missed at rates of false answers, with and without a cohort, for both promises.
- ``intervals``: how often the rate of the other half lies between the stated limits, in many more divisions.
- ``growth``: rates and moved thresholds that were predicted from few people for galleries of more, and what was measured.
- ``unlabelled``: thresholds fitted without a label to the tracklets of one half, and measured with labels on the other. A tracklet
  of Market-1501 is a person's crops by one camera without a gap of 20 seconds; elsewhere, all of them.

Other models and data sets need no more than the last: ``--parts unlabelled --part all``.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resight.datasets import open_dataset
from resight.datasets.records import DISTRACTOR, Records
from resight.decision.calibration import EXPECTED, IMAGE, PROMISES, TRACKLET, Kind
from resight.decision.cohort import Cohort, fit_cohort, shipped_cohort
from resight.decision.error_curve import ErrorCurve
from resight.decision.growth import fit_growth
from resight.decision.people_distances import PeopleDistances, people_distances
from resight.decision.tracklets import fuse_tracklets
from resight.decision.unlabelled import calibrate_unlabelled, join_unnamed
from resight.decision.unnamed import fuse_unnamed
from resight.files import write_json
from resight.models import load_model
from resight.models.embedding import embed_files
from resight.models.model import Model, Vectors
from resight.progress import TerminalProgress
from resight.provenance import provenance

RATES = (0.02, 0.05, 0.1)
CONFIDENCE = 0.95
FITTED, GALLERIES = (50, 100, 200, 375), (50, 100, 200, 375, 750)
PARTS = ("rows", "intervals", "growth", "unlabelled")
NAME = re.compile(r"_c\d+s(?P<sequence>\d+)_(?P<frame>\d+)_")  # of a crop of Market-1501, with 25 frames a second
GAP = 500  # frames
Mask = NDArray[np.bool_]


def halves(people: int, seed: int) -> Iterator[tuple[Mask, Mask]]:
    """A random half of the people and the others, both ways round."""
    first = np.zeros(people, bool)
    first[np.random.default_rng(seed).permutation(people)[: people // 2]] = True
    yield from ((first, ~first), (~first, first))


def thresholds(curve: ErrorCurve) -> Iterator[tuple[str, float, float]]:
    """Each promise and rate, with the threshold that a calibration chooses."""
    for promise in PROMISES:
        chosen = [curve.expected_threshold(rate) for rate in RATES] if promise == EXPECTED else curve.thresholds_for(RATES)
        yield from ((promise, rate, at) for rate, at in zip(RATES, chosen, strict=True))


def cost(distances: PeopleDistances, divisions: int) -> Iterator[dict[str, Any]]:
    """False answers and misses on the other half."""
    for division in range(divisions):
        for fitted, others in halves(distances.people, division):
            curve, elsewhere = (distances.among(half).false_positives(CONFIDENCE) for half in (fitted, others))
            misses = distances.among(others).misses(CONFIDENCE)
            for promise, rate, at in thresholds(curve):
                row = {"division": division, "promise": promise, "wanted": rate}
                row |= {"stated": curve.elsewhere(at)._asdict(), "false_positives": elsewhere.at(at)._asdict()}
                yield row | {"misses": None if misses is None else misses.at(at)._asdict()}


def intervals(distances: PeopleDistances, divisions: int) -> Iterator[dict[str, Any]]:
    """How often the other half's rate lies between the stated limits."""
    held: dict[tuple[str, float], list[bool]] = {}
    for division in range(divisions):
        for fitted, others in halves(distances.people, 1000 + division):
            curve, elsewhere = (distances.among(half).false_positives(CONFIDENCE) for half in (fitted, others))
            for promise, rate, at in thresholds(curve):
                _, lower, upper = curve.elsewhere(at)
                held.setdefault((promise, rate), []).append(lower <= elsewhere.at(at).value <= upper)
    for (promise, rate), kept in held.items():
        yield {"promise": promise, "wanted": rate, "divisions": divisions, "held": float(np.mean(kept))}


def growth(distances: PeopleDistances, divisions: int) -> Iterator[dict[str, Any]]:
    """Fit to some people of one half; measure with the others' images, in galleries of the others, the largest of everybody."""
    for division in range(divisions):
        for half, others in halves(distances.people, division):
            order = np.random.default_rng(division).permutation(distances.people)
            ours, theirs = order[half[order]], order[others[order]]
            asks = others[distances.persons]
            weights = 1 / np.bincount(distances.persons)[distances.persons[asks]]
            for fitted in FITTED:
                chosen = np.zeros(distances.people, bool)
                chosen[ours[:fitted]] = True
                searches = distances.among(chosen)
                law = fit_growth(searches, CONFIDENCE)
                fixed = searches.false_positives(CONFIDENCE).expected_threshold(max(RATES))
                for people in GALLERIES:
                    gallery = theirs[:people] if people <= len(theirs) else order[:people]
                    nearest = distances.between[np.ix_(asks, gallery)].min(axis=1)

                    def rate(at: float, nearest: NDArray[np.float32] = nearest, weights: NDArray[np.float64] = weights) -> float:
                        return float(np.average(nearest <= at, weights=weights))

                    if law is None:
                        continue
                    row = {"division": division, "fitted": int(chosen.sum()), "people": people}
                    row |= {"predicted": law.rate(max(RATES), people - 1), "measured": rate(fixed)}
                    moved = {f"{wanted:g}": rate(law.threshold(wanted, people - 1)) for wanted in RATES}
                    yield row | {"moved": moved, "shown": {f"{r:g}": law.is_measured(r, people - 1) for r in RATES}}


def tracklets_of(records: Records) -> list[str]:
    """Name of the tracklet of each crop."""
    found = [NAME.search(Path(path).name) for path in records.paths]
    parts = [(0, 0) if one is None else (int(one["sequence"]), int(one["frame"])) for one in found]
    names, last, number = [""] * len(records), None, 0
    for row in sorted(range(len(records)), key=lambda row: (records.identities[row], records.cameras[row], parts[row])):
        now = (records.identities[row], records.cameras[row], *parts[row])
        if last is not None and (now[:3] != last[:3] or now[3] - last[3] > GAP):
            number += 1
        names[row], last = str(number), now
    return names


def unlabelled(records: Records, vectors: Vectors, model: Model, cohort: Cohort | None, divisions: int) -> Iterator[dict[str, Any]]:
    """False answers and misses on the other half, without labels and with."""
    who, cameras, names = records.identities, records.cameras, np.array(tracklets_of(records))
    sides = {IMAGE: (vectors, who, cameras), TRACKLET: fuse_tracklets(vectors, who, cameras)[:3]}
    kinds: list[tuple[Kind, Kind]] = [(IMAGE, IMAGE), (IMAGE, TRACKLET), (TRACKLET, TRACKLET)]
    distance = str(model.distance)
    distances = {kind: people_distances(*sides[kind[0]], *sides[kind[1]], distance, cohort=cohort) for kind in kinds}
    people = records.people()
    for division in range(divisions):
        for fitted, others in halves(len(people), division):
            mine = np.isin(who, np.array(people)[fitted])
            given = fuse_unnamed(vectors[mine], cameras[mine], names[mine].tolist())
            joined = join_unnamed(given)
            found = {
                kept: calibrate_unlabelled(given._replace(kept=kept), model, distance, people=joined, cohort=cohort)
                for kept in sides
            }
            for asks, kept in kinds:
                chosen = found[kept] if asks == IMAGE else found[kept].tracklets
                labelled, elsewhere = (distances[asks, kept].among(half).false_positives(CONFIDENCE) for half in (fitted, others))
                misses = distances[asks, kept].among(others).misses(CONFIDENCE)
                if chosen is None or chosen.growth is None or misses is None:
                    continue
                about = {"asks": asks, "sightings": kept, "division": division, "people": int(fitted.sum())}
                about |= {"tracklets": len(given.vectors), "reckoned": chosen.people}
                for rate in RATES:
                    row: dict[str, Any] = about | {"wanted": rate}
                    for name, at in (
                        ("unlabelled", chosen.growth.threshold(rate, chosen.people - 1)),
                        ("labelled", labelled.expected_threshold(rate)),
                    ):
                        row[name] = {"false_positives": elsewhere.at(at).value, "misses": misses.at(at).value}
                    yield row


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--model", default="student")
    parser.add_argument("--part", choices=("test", "all"), default="test", help="people to divide")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="what to measure")
    parser.add_argument("--divisions", type=int, default=5)
    parser.add_argument("--many", type=int, default=200, help="divisions for the limits")
    parser.add_argument("--vectors", type=Path, help="file for the vectors, .npy; if it is there, it is read")
    parser.add_argument("--json", type=Path, required=True)
    given = parser.parse_args()
    dataset, model = open_dataset(given.data), load_model(given.model)
    records = Records.concatenate([dataset.query, dataset.gallery, *([dataset.train] if given.part == "all" else [])])
    records = records.select(records.identities > DISTRACTOR)
    distance = str(model.distance)
    found: dict[str, list[dict[str, Any]]] = {part: [] for part in given.parts}
    with TerminalProgress() as progress:
        strangers = shipped_cohort(given.model)
        if strangers is None:
            crops = embed_files(model, dataset.train.paths, progress=progress)
            strangers = fit_cohort(crops, distance, model_sha256=model.sha256)
        kept = given.vectors is not None and given.vectors.exists()
        vectors = np.load(given.vectors) if kept else embed_files(model, records.paths, progress=progress)
        if given.vectors is not None and not kept:
            np.save(given.vectors, vectors)
        images = (vectors, records.identities, records.cameras)
        for asks, side in (("image", images), ("tracklet", fuse_tracklets(*images)[:3])):
            for cohort in (None, strangers) if set(found) - {"unlabelled"} else ():
                distances = people_distances(*side, *side, distance, cohort=cohort, progress=progress)
                about = {"asks": asks, "cohort": cohort is not None}
                if "rows" in found:
                    found["rows"] += [about | row for row in cost(distances, given.divisions)]
                if "intervals" in found and cohort is not None:
                    found["intervals"] += [about | row for row in intervals(distances, given.many)]
                if "growth" in found and cohort is not None:
                    found["growth"] += [about | row for row in growth(distances, given.divisions)]
        if "unlabelled" in found:
            found["unlabelled"] = list(unlabelled(records, vectors, model, strangers, given.divisions))
    configuration = {"model": given.model, "part": given.part, "divisions": given.divisions, "many": given.many}
    source = provenance(configuration, seed=0)
    about = {"model": model.name, "model_sha256": model.sha256, "dataset": dataset.name, "people": len(records.people())}
    write_json(given.json, about | found | {"provenance": source})


if __name__ == "__main__":
    main()
