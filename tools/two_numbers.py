"""Measure how many missed people are the price of people who have two numbers.

    python tools/two_numbers.py --data Market-1501 --json results/decision-two-numbers.json
    python tools/two_numbers.py --data Market-1501 --json results/decision-two-numbers-teacher.json --one-crop \
      --model openvino:person-reidentification-retail-0277.xml

Some of Market-1501's test people have two numbers. To a decision such a person is a false answer that looks exactly right, and at
strict rates a few of them set the threshold. `SAME` was found by looking at the pairs of numbers that are most alike: the first 50
of `student`'s images, the first 50 of its tracklets, and the first 60 of the teacher's one crop of each person by each camera.
It holds those whose clothes, shoes, bags and hair are plainly the same. `WRONG` holds pairs of which one number has crops of the
other person. What was not plain is in `UNCLEAR` and stays as it is.

Thresholds are fitted to one half of the test people and measured on the other half, both ways round, in the five divisions of
`benchmarks/decision.py`: as labelled, and with these pairs left out, so that neither number is a stranger to the other.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resight.datasets import open_dataset
from resight.datasets.records import DISTRACTOR, Records
from resight.decision.cohort import shipped_cohort
from resight.decision.people_distances import PeopleDistances, people_distances
from resight.decision.tracklets import fuse_tracklets
from resight.files import write_json
from resight.models import load_model
from resight.models.embedding import embed_files
from resight.progress import TerminalProgress
from resight.provenance import provenance

Pairs = Sequence[tuple[int, int]]

SAME: Pairs = (
    (17, 58),
    (60, 182),
    (91, 1073),
    (198, 1375),
    (219, 643),
    (230, 275),
    (502, 1062),
    (531, 878),
    (609, 632),
    (675, 1446),
    (1013, 1199),
    (1074, 1247),
)
WRONG: Pairs = ((5, 15), (196, 1196))
UNCLEAR: Pairs = ((61, 80), (360, 672), (601, 1215), (1082, 1233))
RATES, CONFIDENCE, DIVISIONS = (0.02, 0.05, 0.1), 0.95, 5


def without(distances: PeopleDistances, numbers: Sequence[int], pairs: Pairs) -> PeopleDistances:
    """The same searches, in which the two numbers of a pair are not strangers to each other."""
    between, place = distances.between.copy(), {number: column for column, number in enumerate(numbers)}
    for one, other in pairs:
        for asks, found in ((place[one], place[other]), (place[other], place[one])):
            between[distances.persons == asks, found] = np.inf
    return replace(distances, between=between)


def missed(distances: PeopleDistances) -> Iterator[dict[str, float]]:
    """Means of false answers and misses of one half at thresholds of the other, with the spread of the misses over divisions."""
    found: dict[float, list[tuple[float, float]]] = {wanted: [] for wanted in RATES}
    for division in range(DIVISIONS):
        first = np.zeros(distances.people, bool)
        first[np.random.default_rng(division).permutation(distances.people)[: distances.people // 2]] = True
        for fitted, others in ((first, ~first), (~first, first)):
            curve, elsewhere = (distances.among(half).false_positives(CONFIDENCE) for half in (fitted, others))
            misses = distances.among(others).misses(CONFIDENCE)
            if misses is None:
                raise SystemExit("one camera only")
            for wanted in RATES:
                at = curve.expected_threshold(wanted)
                found[wanted].append((elsewhere.at(at).value, misses.at(at).value))
    for wanted, rates in found.items():
        false, lost = np.array(rates).T
        yield {"wanted": wanted, "false_positives": false.mean(), "misses": lost.mean(), "spread": lost.std(ddof=1)}


def middle(records: Records) -> NDArray[np.intp]:
    """Rows of the middle crop of each person by each camera, in the order of their files."""
    order = np.lexsort((np.array(records.paths), records.cameras, records.identities))
    who = np.stack([records.identities, records.cameras])[:, order]
    parts = np.split(order, np.flatnonzero((np.diff(who) != 0).any(axis=0)) + 1)
    return np.array([rows[len(rows) // 2] for rows in parts])


def alike(distances: PeopleDistances, numbers: Sequence[int], count: int) -> list[tuple[int, int]]:
    """Pairs of numbers that are most alike, the nearest first."""
    nearest = np.full((distances.people, distances.people), np.inf, np.float32)
    np.minimum.at(nearest, distances.persons, distances.between[:, : distances.people])
    nearest = np.minimum(nearest, nearest.T)
    one, other = np.triu_indices(distances.people, 1)
    order = np.argsort(nearest[one, other], kind="stable")[:count]
    return [(numbers[one[row]], numbers[other[row]]) for row in order]


def main() -> None:
    """Write the rates of each model, and how many of its most alike pairs are in which list."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--model", nargs="+", default=["student"])
    parser.add_argument("--vectors", type=Path, help="folder that keeps the vectors; those that are there are read")
    parser.add_argument("--one-crop", action="store_true", help="one crop of each person by each camera, for a slow model")
    parser.add_argument("--json", type=Path, required=True)
    given = parser.parse_args()
    dataset = open_dataset(given.data)
    records = Records.concatenate([dataset.query, dataset.gallery])
    records = records.select(records.identities > DISTRACTOR)
    if given.one_crop:
        records = records.select(middle(records))
    numbers = [int(number) for number in np.unique(records.identities)]
    lists = {"same": SAME, "wrong crops": WRONG, "unclear": UNCLEAR}
    forms: dict[str, Pairs] = {"as labelled": (), "two numbers left out": SAME, "wrong crops, too": (*SAME, *WRONG)}
    rows: list[dict[str, Any]] = []
    found: list[dict[str, Any]] = []
    with TerminalProgress() as progress:
        for name in given.model:
            model = load_model(name, precise=False)
            kept = given.vectors / f"{model.name}.npy" if given.vectors is not None else None
            vectors = np.load(kept) if kept is not None and kept.exists() else embed_files(model, records.paths, progress=progress)
            if kept is not None and not kept.exists():
                np.save(kept, vectors)
            images = (vectors, records.identities, records.cameras)
            sides = {"image": images} if given.one_crop else {"image": images, "tracklet": fuse_tracklets(*images)[:3]}
            for asks, side in sides.items():
                distances = people_distances(*side, *side, str(model.distance), cohort=shipped_cohort(name), progress=progress)
                about = {"model": model.name, "model_sha256": model.sha256, "asks": asks, "one_crop": given.one_crop}
                for form, pairs in forms.items():
                    rows += [about | {"form": form} | row for row in missed(without(distances, numbers, pairs))]
                for count in (16, 50):
                    nearest = alike(distances, numbers, count)
                    counts = {kind: len(set(nearest) & set(pairs)) for kind, pairs in lists.items()}
                    found.append(about | {"most alike": count} | counts)
    source = provenance({"models": [Path(name).name for name in given.model], "divisions": DIVISIONS}, seed=0)
    pairs_of = {kind: [list(pair) for pair in pairs] for kind, pairs in lists.items()}
    result: dict[str, Any] = {"dataset": dataset.name, "people": len(numbers), "pairs": pairs_of}
    write_json(given.json, result | {"found": found, "rows": rows, "provenance": source})


if __name__ == "__main__":
    main()
