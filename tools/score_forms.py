"""Try other forms of the score that a decision rests on: how many present people each of them misses.

    python tools/score_forms.py --data Market-1501 --model student --json results/score-forms.json
    python tools/score_forms.py --data Market-1501 --part train --model OTHERS.onnx --json CHOICE.json

Thresholds are fitted to one half of the people and measured on the other half, both ways round, in the five divisions of
`benchmarks/decision.py`. One image in three asks, and every tracklet. All forms but the first subtract how common the query is. If
the model has no cohort, half of the people become one. What is known about cameras comes from all crops, without labels.

- *margin*: less a share of the mean distance of the ten people who come next. If the person is there, these are the nearest ten of
  the others; if not, the second to the eleventh.
- *quality* of the query: less or more the length of its vector, the cosine with its mirror image, or its sharpness, in units of the
  spread of the score. A tracklet has the means of its crops.
- *cameras*: each camera's mean taken off; or mean and spread of strangers made alike for all pairs of cameras.
- *several images*: the mean distance of the nearest two or three of a person instead of the nearest.
- *expansion*: the nearest sightings are added to the query, weighted by the cube of their cosine.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from resight.datasets import open_dataset
from resight.datasets.records import DISTRACTOR, Records
from resight.decision.cohort import Cohort, fit_cohort, shipped_cohort
from resight.decision.tracklets import fuse_tracklets
from resight.files import write_json
from resight.images import read_into
from resight.models import load_model
from resight.models.model import Model
from resight.progress import Progress, TerminalProgress
from resight.provenance import provenance

Floats = NDArray[np.float32]

RATES, DIVISIONS, IMAGES, CHUNK = (0.02, 0.05, 0.1), 5, 3, 256
MARGINS, NEXT = (0.2, 0.4, 0.6), 10  # people
QUALITIES = (-0.5, -0.25, 0.25, 0.5)


class Side(NamedTuple):
    """Images or tracklets: vectors of length 1, float32 (n, d), with person, camera and some measures of quality of each."""

    vectors: Floats
    persons: NDArray[np.int64]
    cameras: NDArray[np.int64]
    quality: dict[str, Floats]


class Searches(NamedTuple):
    """Distance of each query to every other person, in order, and to its own person by another camera."""

    persons: NDArray[np.int64]
    between: Floats
    own: Floats


def embed(model: Model, paths: tuple[str, ...], progress: Progress) -> tuple[Floats, dict[str, Floats]]:
    """Vectors, and what is known of the quality of each crop."""
    vectors: list[Floats] = []
    quality: dict[str, list[Floats]] = {"length": [], "mirror": [], "sharpness": []}
    for start in range(0, len(paths), CHUNK):
        some = list(paths[start : start + CHUNK])
        pixels = np.empty((len(some), *model.size, 3), np.uint8)
        if failed := read_into(some, pixels):
            raise SystemExit(f"cannot be read: {failed}")
        plain, mirrored = model.extract(pixels), model.extract(np.ascontiguousarray(pixels[:, :, ::-1]))
        vectors.append(plain)
        quality["length"].append(np.linalg.norm(plain, axis=1))
        quality["mirror"].append(np.einsum("ij,ij->i", unit(plain), unit(mirrored)))
        grays = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in pixels]
        quality["sharpness"].append(np.array([cv2.Laplacian(gray, cv2.CV_32F).var() for gray in grays]))
        progress(f"embedding ({model.name})", start + len(some), len(paths))
    return np.concatenate(vectors), {name: np.concatenate(parts).astype(np.float32) for name, parts in quality.items()}


def unit(vectors: Floats) -> Floats:
    """Vectors of length 1."""
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12), np.float32)


def sides(vectors: Floats, quality: dict[str, Floats], records: Records) -> Iterator[tuple[str, Side]]:
    """Images, and tracklets: all crops of a person by a camera."""
    order = np.lexsort((records.cameras, records.identities))  # that of the tracklets, so that a person is a slice
    who, cameras = records.identities[order], records.cameras[order]
    persons = np.unique(who, return_inverse=True)[1]
    yield "image", Side(unit(vectors[order]), persons, cameras, {name: values[order] for name, values in quality.items()})
    fused = fuse_tracklets(vectors[order], who, cameras)
    starts = np.append(0, np.cumsum(fused.crops)[:-1])
    means = {name: (np.add.reduceat(values[order], starts) / fused.crops).astype(np.float32) for name, values in quality.items()}
    yield "tracklet", Side(unit(fused.vectors), np.unique(fused.identities, return_inverse=True)[1], fused.cameras, means)


def searches(distances: Floats, rows: NDArray[np.int64], side: Side, images: int = 1) -> Searches:
    """The mean of so many nearest images of each person; of all, if somebody has fewer."""
    persons, columns = side.persons[rows], np.flatnonzero(np.append(True, np.diff(side.persons) != 0))
    ends = [*columns[1:], len(side.persons)]
    between = np.empty((len(rows), len(columns)), np.float32)
    for person, (start, end) in enumerate(zip(columns, ends, strict=True)):
        between[:, person] = mean_of_least(distances[:, start:end], images)
    own = np.full(len(rows), np.inf, np.float32)
    for row, person in enumerate(persons):
        same = slice(columns[person], ends[person])
        others = distances[row, same][side.cameras[same] != side.cameras[rows[row]]]
        own[row] = mean_of_least(others[None], images)[0] if len(others) else np.inf
    between[np.arange(len(rows)), persons] = np.inf
    return Searches(persons, between, own)


def mean_of_least(values: Floats, count: int) -> Floats:
    """Mean of the least numbers of each row."""
    if count == 1 or values.shape[1] == 1:
        return np.asarray(values.min(axis=1), np.float32)
    count = min(count, values.shape[1])
    return np.asarray(np.partition(values, count - 1, axis=1)[:, :count].mean(axis=1), np.float32)


def missed(
    found: Searches, subtracted: Floats | float = 0.0, margin: float = 0.0, absent: Searches | None = None
) -> list[list[float]]:
    """Per cent of present people who are missed at each rate, for each division and way round."""
    people, less = found.between.shape[1], np.broadcast_to(np.asarray(subtracted, np.float32), (len(found.own),))
    weights = 1 / np.bincount(found.persons)[found.persons]
    rows = []
    for division in range(DIVISIONS):
        first = np.zeros(people, bool)
        first[np.random.default_rng(division).permutation(people)[: people // 2]] = True
        scores = []
        for half in (first, ~first):
            mine = np.flatnonzero(half[found.persons])
            strangers = (absent or found).between[np.ix_(mine, np.flatnonzero(half))]
            own, nearest = found.own[mine], strangers.min(axis=1)
            if margin:
                ranked = np.sort(np.partition(strangers, NEXT, axis=1)[:, : NEXT + 1], axis=1)
                nearest = nearest - margin * ranked[:, 1:].mean(axis=1)
                own = own - margin * ranked[:, :-1].mean(axis=1)
            scores.append((nearest - less[mine], own - less[mine], weights[mine]))
        for (nearest, _, fitted), (_, own, others) in (scores, scores[::-1]):
            order = np.argsort(nearest)
            wrong, asks = np.cumsum(fitted[order]) / fitted.sum(), np.isfinite(own)
            at = [nearest[order[np.searchsorted(wrong, rate + 1e-12, side="right")]] for rate in RATES]
            shares = others[asks]  # a person without another camera does not ask
            rows.append([100 * float(np.average(own[asks] >= limit, weights=shares)) for limit in at])
    return rows


def forms(side: Side, rows: NDArray[np.int64], cohort: Cohort) -> Iterator[tuple[str, list[list[float]]]]:
    """Name of each form, and who is missed."""
    asking = side.vectors[rows]
    distances, common = 1 - asking @ side.vectors.T, cohort.commonness(asking).astype(np.float32)
    found = searches(distances, rows, side)
    yield "without a cohort", missed(found)
    yield "as shipped", missed(found, common)
    for margin in MARGINS:
        yield f"margin, {margin:g}", missed(found, common, margin)
    spread = float(np.std(found.between.min(axis=1) - common))
    for name, values in side.quality.items():
        for weight in QUALITIES:
            more = weight * spread * (values[rows] - values.mean()) / max(float(values.std()), 1e-12)
            yield f"quality, {name}, {weight:+g}", missed(found, common + more)
    for images in (2, 3):
        yield f"several images, {images}", missed(searches(distances, rows, side, images), common)
    for name, others in cameras_alike(side, rows, distances):
        yield f"cameras, {name}", missed(searches(others, rows, side), common)
    yield "cameras, mean off", centred(side, rows, cohort)
    own = side.persons[rows, None] == side.persons
    there = own & (side.cameras[rows, None] != side.cameras)
    for count in (2, 5):
        present, common_present = expanded(side, rows, np.where(own & ~there, np.inf, distances), count, cohort)
        away, common_away = expanded(side, rows, np.where(own, np.inf, distances), count, cohort)
        asked = present._replace(own=present.own - common_present)
        yield f"expansion, {count}", missed(asked, absent=away._replace(between=away.between - common_away[:, None]))


def cameras_alike(side: Side, rows: NDArray[np.int64], distances: Floats) -> Iterator[tuple[str, Floats]]:
    """Distances of all pairs of cameras with the same mean; with the same spread, too; with the same least thousandth."""
    alike, scaled, least = distances.copy(), distances.copy(), distances.copy()
    everywhere, spread = float(distances.mean()), float(distances.std())
    edge = float(np.quantile(distances[:: max(1, len(rows) // 500)], 0.001))
    for asks in np.unique(side.cameras):
        for answers in np.unique(side.cameras):
            pair = np.ix_(side.cameras[rows] == asks, side.cameras == answers)
            strangers = side.persons[rows][pair[0]] != side.persons[pair[1]]
            values = distances[pair][strangers]
            alike[pair] += everywhere - values.mean()
            scaled[pair] = (distances[pair] - values.mean()) * spread / values.std() + everywhere
            least[pair] += edge - np.quantile(values, 0.001)
    yield from (("mean alike", alike), ("mean and spread alike", scaled), ("least thousandth alike", least))


def centred(side: Side, rows: NDArray[np.int64], cohort: Cohort) -> list[list[float]]:
    """Each camera's mean taken off the vectors, and the cohort's mean off the cohort."""
    vectors = side.vectors.copy()
    for camera in np.unique(side.cameras):
        vectors[side.cameras == camera] -= side.vectors[side.cameras == camera].mean(axis=0)
    centres = unit(cohort.centres.astype(np.float32))
    centres = unit(centres - centres.mean(axis=0))
    vectors = unit(vectors)
    nearest = np.partition(1 - vectors[rows] @ centres.T, cohort.neighbours - 1, axis=1)[:, : cohort.neighbours]
    return missed(searches(1 - vectors[rows] @ vectors.T, rows, side), nearest.mean(axis=1))


def expanded(side: Side, rows: NDArray[np.int64], allowed: Floats, count: int, cohort: Cohort) -> tuple[Searches, Floats]:
    """Searches by each query with its nearest sightings added, and how common those queries are."""
    nearest = np.argpartition(allowed, count, axis=1)[:, :count]
    weights = np.maximum(1 - np.take_along_axis(allowed, nearest, axis=1), 0) ** 3
    asking = unit(side.vectors[rows] + np.einsum("qk,qkd->qd", weights, side.vectors[nearest]))
    return searches(1 - asking @ side.vectors.T, rows, side), cohort.commonness(asking).astype(np.float32)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--part", choices=("test", "train", "all"), default="test")
    parser.add_argument("--model", default="student")
    parser.add_argument("--vectors", type=Path, help="file that keeps vectors and qualities, .npz; if it is there, it is read")
    parser.add_argument("--json", type=Path, required=True)
    given = parser.parse_args()
    dataset, model = open_dataset(given.data), load_model(given.model)
    test = [dataset.query, dataset.gallery]
    records = Records.concatenate({"test": test, "train": [dataset.train], "all": [*test, dataset.train]}[given.part])
    records = records.select(records.identities > DISTRACTOR)
    rows: list[dict[str, Any]] = []
    with TerminalProgress() as progress:
        if given.vectors is not None and given.vectors.exists():
            kept = dict(np.load(given.vectors))
        else:
            vectors, quality = embed(model, records.paths, progress)
            kept = {"vectors": vectors, **quality}
            if given.vectors is not None:
                np.savez(given.vectors, **kept)
        vectors = kept.pop("vectors")
        cohort = shipped_cohort(given.model)
        if cohort is None:
            people = np.random.default_rng(0).permutation(np.unique(records.identities))
            strangers = np.isin(records.identities, people[: len(people) // 2])
            cohort = fit_cohort(vectors[strangers], "cosine")
            records, vectors = records.select(~strangers), vectors[~strangers]
            kept = {name: values[~strangers] for name, values in kept.items()}
        for asks, side in sides(vectors, kept, records):
            asking = np.arange(0, len(side.vectors), IMAGES if asks == "image" else 1)
            for name, values in forms(side, asking, cohort):
                found = np.array(values)
                row = {
                    "asks": asks,
                    "form": name,
                    "wanted": RATES,
                    "missed": found.mean(0).tolist(),
                    "spread": found.std(0).tolist(),
                }
                rows.append(row)
                print(asks, name, " ".join(f"{value:.1f}" for value in row["missed"]), flush=True)
    about = {"model": model.name, "model_sha256": model.sha256, "dataset": dataset.name, "people": len(records.people())}
    configuration = {"model": Path(given.model).name, "part": given.part, "divisions": DIVISIONS}
    write_json(given.json, about | {"rows": rows, "provenance": provenance(configuration, seed=0)})


if __name__ == "__main__":
    main()
