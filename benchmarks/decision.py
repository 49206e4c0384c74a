"""Measures what an answer costs and how well its promises hold, on people whom the calibration did not see.

    python benchmarks/decision.py --data /path/to/Market-1501 [--model student] --json results/decision.json

The test people are divided into halves, both ways round, several times: thresholds are fitted to one half, measured on the other.
The cohort comes from training crops. Images ask among images, and tracklets, all images of a person by a camera, among tracklets.

- ``rows``: present people missed at rates of false answers, with and without a cohort, for both promises.
- ``intervals``: how often the rate of the other half lies between the stated limits, in many more divisions.
- ``growth``: rates and moved thresholds that were predicted from few people for galleries of more, and what was measured.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resight.datasets import open_dataset
from resight.datasets.records import DISTRACTOR, Records
from resight.decision.calibration import EXPECTED, PROMISES
from resight.decision.cohort import fit_cohort
from resight.decision.error_curve import ErrorCurve
from resight.decision.growth import fit_growth
from resight.decision.people_distances import PeopleDistances, people_distances
from resight.decision.tracklets import fuse_tracklets
from resight.files import write_json
from resight.models import load_model
from resight.models.embedding import embed_files
from resight.progress import TerminalProgress
from resight.provenance import provenance

RATES = (0.02, 0.05, 0.1)
CONFIDENCE = 0.95
FITTED, GALLERIES = (50, 100, 200, 375), (50, 100, 200, 375, 750)
Mask = NDArray[np.bool_]


def halves(people: int, seed: int) -> Iterator[tuple[Mask, Mask]]:
    """A random half of the people and the others, both ways round."""
    first = np.zeros(people, bool)
    first[np.random.default_rng(seed).permutation(people)[: people // 2]] = True
    yield from ((first, ~first), (~first, first))


def threshold(curve: ErrorCurve, promise: str, rate: float) -> float:
    """The threshold that a calibration chooses."""
    return curve.expected_threshold(rate) if promise == EXPECTED else curve.threshold_for(rate)


def cost(distances: PeopleDistances, divisions: int) -> Iterator[dict[str, Any]]:
    """False answers and misses on the other half."""
    for division in range(divisions):
        for fitted, others in halves(distances.people, division):
            curve, elsewhere = (distances.among(half).false_positives(CONFIDENCE) for half in (fitted, others))
            misses = distances.among(others).misses(CONFIDENCE)
            for promise in PROMISES:
                for rate in RATES:
                    at = threshold(curve, promise, rate)
                    row = {"division": division, "promise": promise, "wanted": rate}
                    row |= {"stated": curve.elsewhere(at)._asdict(), "false_positives": elsewhere.at(at)._asdict()}
                    yield row | {"misses": None if misses is None else misses.at(at)._asdict()}


def intervals(distances: PeopleDistances, divisions: int) -> Iterator[dict[str, Any]]:
    """How often the other half's rate lies between the stated limits."""
    held: dict[tuple[str, float], list[bool]] = {}
    for division in range(divisions):
        for fitted, others in halves(distances.people, 1000 + division):
            curve, elsewhere = (distances.among(half).false_positives(CONFIDENCE) for half in (fitted, others))
            for promise in PROMISES:
                for rate in RATES:
                    at = threshold(curve, promise, rate)
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


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--model", default="student")
    parser.add_argument("--divisions", type=int, default=5)
    parser.add_argument("--many", type=int, default=200, help="divisions for the limits")
    parser.add_argument("--json", type=Path, required=True)
    given = parser.parse_args()
    dataset, model = open_dataset(given.data), load_model(given.model)
    records = Records.concatenate([dataset.query, dataset.gallery])
    records = records.select(records.identities > DISTRACTOR)
    distance = str(model.distance)
    found: dict[str, list[dict[str, Any]]] = {"rows": [], "intervals": [], "growth": []}
    with TerminalProgress() as progress:
        strangers = fit_cohort(embed_files(model, dataset.train.paths, progress=progress), distance, model_sha256=model.sha256)
        vectors = embed_files(model, records.paths, progress=progress)
        images = (vectors, records.identities, records.cameras)
        for asks, side in (("image", images), ("tracklet", fuse_tracklets(*images)[:3])):
            for cohort in (None, strangers):
                distances = people_distances(*side, *side, distance, cohort=cohort, progress=progress)
                about = {"asks": asks, "cohort": cohort is not None}
                found["rows"] += [about | row for row in cost(distances, given.divisions)]
                if cohort is not None:
                    found["intervals"] += [about | row for row in intervals(distances, given.many)]
                    found["growth"] += [about | row for row in growth(distances, given.divisions)]
    source = provenance({"model": given.model, "divisions": given.divisions, "many": given.many}, seed=0)
    about = {"model": model.name, "model_sha256": model.sha256, "dataset": dataset.name, "people": len(records.people())}
    write_json(given.json, about | found | {"provenance": source})


if __name__ == "__main__":
    main()
