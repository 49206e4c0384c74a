"""Tracking and links between cameras, scored: HOTA, IDF1 and MOTA of films, and groups of Market-1501's test people.

    python benchmarks/tracking.py --sequence TUD-Campus --sequence TUD-Stadtmitte --yolox yolox_nano.onnx \
        --market Market-1501-v15.09.15 --json results/tracking.json
    python benchmarks/tracking.py --drawn films --fit other-films --detector motion --json results/tracking-drawn.json

Sequences and films are folders in MOTChallenge's layout; `resight.drawn.video.generate_video` draws films. The tracker has one
set of parameters for all. Thresholds of links are fitted to other people: those of the films after --fit, and for Market-1501 each
half of the test people is joined at the threshold that is best for the other half. "centred" are the figures with each camera's
mean taken off, up to the distances of `resight.decision.links`. The students know the training people.
"""

from __future__ import annotations

import argparse
import re
import time
from collections import defaultdict
from collections.abc import Sequence
from configparser import ConfigParser
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import resight
from resight.cameras.boxes import overlap
from resight.cameras.detectors.detector import Detector
from resight.cameras.detectors.motion import MotionDetector
from resight.cameras.detectors.yolox import YoloxDetector
from resight.cameras.frames import Frame
from resight.cameras.groups import score_groups
from resight.cameras.links import Limits, Linker
from resight.cameras.mot import MotRows, join_cameras, read_mot
from resight.cameras.scores import score_tracks
from resight.cameras.tracking import Tracker, complete_tracks
from resight.cameras.ways import Ways
from resight.decision.links import fit_links
from resight.decision.tracklets import Tracklets
from resight.files import write_json
from resight.images import read_image
from resight.provenance import provenance

THRESHOLDS = (0.1, 0.14, 0.18, 0.22, 0.27, 0.32, 0.37, 0.42)
MARKET_NAME = re.compile(r"(\d+)_c(\d)s(\d)_(\d+)_\d+\.jpg")
MARKET_RATE, MARKET_PAUSE, MARKET_CROPS = 25, 200, 4  # frames a second; frames that end a tracklet; crops of one that count


@dataclass(frozen=True, eq=False)
class Walk:
    """A passage of somebody who is known."""

    name: str
    camera: str
    start: float
    end: float
    embedding: NDArray[np.float32]
    person: str


@dataclass(frozen=True, eq=False)
class Watched:
    """Truth and tracks of one camera, its passages, and the tracker's processor time for each frame."""

    truth: MotRows
    tracks: MotRows
    vectors: dict[int, NDArray[np.float64]]
    rate: float
    milliseconds: float


def watch(folder: Path, detector: Detector, model: resight.Model) -> Watched:
    """Track the people of one folder."""
    ini = ConfigParser()
    ini.read(folder / "seqinfo.ini")
    rate = float(ini["Sequence"]["frameRate"])
    tracker, rows, spent = Tracker(), [], 0.0
    sums: dict[int, NDArray[np.float64]] = defaultdict(lambda: np.zeros(model.embedding_size))
    paths = sorted((folder / "img1").iterdir())
    for index, path in enumerate(paths):
        frame = Frame(pixels=read_image(path), time=index / rate, index=index, camera=folder.name)
        found = detector.detect(frame).clipped(*frame.size)
        vectors = model.embed((frame.pixels, found.xyxy)) if len(found) else np.empty((0, model.embedding_size), np.float32)
        begin = time.process_time()
        tracks = tracker.update(frame, found, vectors)
        spent += time.process_time() - begin
        for id, row in zip(tracks.ids.tolist(), tracks.rows.tolist(), strict=True):
            rows.append((index + 1, id, *found.xyxy[row].tolist(), float(found.confidence[row])))
            sums[id] += float(found.confidence[row]) * vectors[row] / np.linalg.norm(vectors[row])
    table = np.array(rows).reshape(-1, 7)
    given = MotRows.table(table[:, 0], table[:, 1], table[:, 2:6], table[:, 6])
    truth = read_mot(folder / "gt" / "gt.txt")
    return Watched(truth, complete_tracks(given, rate=rate), dict(sums), rate, 1000 * spent / len(paths))


def walks(watched: Watched, camera: str) -> list[Walk]:
    """The tracks of one camera as passages; who each is, is whoever of the truth it is on most."""
    made = []
    for id in np.unique(watched.tracks.ids).tolist():
        mine = watched.tracks.ids == id
        votes: dict[str, int] = defaultdict(int)
        for frame, box in zip(watched.tracks.frames[mine].tolist(), watched.tracks.xyxy[mine], strict=True):
            rows = watched.truth.of(frame)
            shares = overlap(box[None], watched.truth.xyxy[rows])[0]
            votes[str(watched.truth.ids[rows][shares.argmax()]) if shares.max(initial=0) >= 0.5 else f"nobody {camera} {id}"] += 1
        frames = watched.tracks.frames[mine]
        person = max(votes, key=lambda who: votes[who])
        span = float(frames.min() / watched.rate), float(frames.max() / watched.rate)
        made.append(Walk(f"{camera}:{id}", camera, *span, watched.vectors[id].astype(np.float32), person))
    return made


def joined(passages: Sequence[Walk], threshold: float | Limits, ways: Ways | None = None) -> dict[str, int]:
    """The person of each passage, by its name, as a linker gives them one after the other."""
    linker = Linker(threshold, ways, memory=1e9)
    for passage in sorted(passages, key=lambda one: (one.end, one.name)):
        linker.add(passage)
    return {name: person for person, names in linker.people().items() for name in names}


def scored(passages: Sequence[Walk], threshold: float | Limits, ways: Ways | None = None) -> Any:
    """Scores of the groups at a threshold."""
    groups = joined(passages, threshold, ways)
    return score_groups([one.person for one in passages], [groups[one.name] for one in passages])


def fitted(passages: Sequence[Walk], ways: Ways | None = None) -> float:
    """The threshold of the best B-cubed F1."""
    return max(THRESHOLDS, key=lambda threshold: scored(passages, threshold, ways).b_f1)


def centred(passages: Sequence[Walk], plain: float) -> Limits:
    """Limits as `resight calibrate` fits them, with a plain one until cameras are known."""
    people, cameras = (sorted({getattr(one, name) for one in passages}) for name in ("person", "camera"))
    who = np.array([people.index(one.person) + 1 for one in passages])
    where = np.array([cameras.index(one.camera) for one in passages])
    found = fit_links(Tracklets(np.stack([one.embedding for one in passages]), who, where, np.ones_like(who)))
    return Limits(lambda vector: plain, None if found is None else found.among)


def films(root: Path, detector: str, yolox: Path | None, model: resight.Model) -> tuple[list[Watched], list[Walk]]:
    """Track all cameras of drawn films."""
    watched, passages = [], []
    for folder in sorted(path for path in root.iterdir() if (path / "seqinfo.ini").is_file()):
        made = MotionDetector() if detector == "motion" else YoloxDetector(str(yolox), threads=1)
        watched.append(watch(folder, made, model))
        passages += walks(watched[-1], folder.name)
    return watched, passages


def over_all(watched: Sequence[Watched], passages: Sequence[Walk], threshold: float | Limits) -> dict[str, Any]:
    """Scores over all cameras at once: identities must last from camera to camera."""
    person = joined(passages, threshold)
    cameras = sorted({one.camera for one in passages})
    tables = []
    for camera, one in zip(cameras, watched, strict=True):
        ids = np.array([person[f"{camera}:{id}"] for id in one.tracks.ids.tolist()], np.int64)
        # Two tracks of one person at once are a mistake of the linker's; MOT text has room for one of them.
        _, first = np.unique(np.stack([one.tracks.frames, ids]), axis=1, return_index=True)
        tables.append(MotRows.table(one.tracks.frames[first], ids[first], one.tracks.xyxy[first], one.tracks.confidence[first]))
    # One of truth and tracks may end before the other.
    lengths = [int(max(one.truth.frames.max(initial=0), one.tracks.frames.max(initial=0))) for one in watched]
    return score_tracks(join_cameras([one.truth for one in watched], lengths), join_cameras(tables, lengths)).to_dict()


def market(root: Path, model: resight.Model) -> list[Walk]:
    """Market-1501's test people as passages: crops of one person, camera and sequence without a long pause."""
    crops: dict[tuple[str, str, int], list[tuple[int, Path]]] = defaultdict(list)
    for folder in ("bounding_box_test", "query"):
        for path in sorted((root / folder).iterdir()):
            parts = MARKET_NAME.fullmatch(path.name)
            if parts and int(parts[1]):
                crops[parts[1], parts[2], int(parts[3])].append((int(parts[4]), path))
    passages = []
    for (person, camera, sequence), shots in sorted(crops.items()):
        shots.sort()
        cuts = [0, *(i for i in range(1, len(shots)) if shots[i][0] - shots[i - 1][0] > MARKET_PAUSE), len(shots)]
        passages += [(person, camera, sequence, shots[a:b]) for a, b in pairwise(cuts)]
    chosen = []
    for *_, shots in passages:
        chosen.append([shots[at][1] for at in np.unique(np.linspace(0, len(shots) - 1, MARKET_CROPS).round().astype(int))])
    vectors = model.embed([path for paths in chosen for path in paths])
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    ends = np.cumsum([len(paths) for paths in chosen])
    made = []
    for number, ((person, camera, sequence, shots), end) in enumerate(zip(passages, ends, strict=True)):
        start = sequence * 1e5 + shots[0][0] / MARKET_RATE
        span = start, sequence * 1e5 + shots[-1][0] / MARKET_RATE
        mean = vectors[end - len(chosen[number]) : end].mean(axis=0)
        made.append(Walk(f"{number}", f"c{camera}", *span, mean, person))
    return made


def market_links(passages: list[Walk]) -> list[dict[str, Any]]:
    """Each half of the people, at the threshold that is best for the other half."""
    people = sorted({one.person for one in passages})
    halves = [[one for one in passages if people.index(one.person) % 2 == side] for side in (0, 1)]
    # The views overlap, and clocks differ by seconds: only one's own camera rules out that somebody is there twice.
    cameras = sorted({one.camera for one in passages})
    ways = Ways(shortest={(one, other): -60.0 for one in cameras for other in cameras if one != other})
    found = []
    for mine, other in (halves, halves[::-1]):
        threshold = fitted(other, ways)
        after = scored(mine, centred(other, threshold), ways).to_dict()
        found.append({"threshold": threshold} | scored(mine, threshold, ways).to_dict() | {"centred": after})
    return found


def main() -> None:
    """Run the benchmark as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sequence", action="append", default=[], type=Path, metavar="FOLDER")
    parser.add_argument("--yolox", type=Path, metavar="FILE", help="YOLOX-nano as ONNX")
    parser.add_argument("--drawn", type=Path, metavar="FOLDER", help="drawn films")
    parser.add_argument("--detector", action="append", default=[], choices=("yolox", "motion"), help="of drawn films")
    parser.add_argument("--fit", type=Path, metavar="FOLDER", help="drawn films of other people, to fit the threshold to")
    parser.add_argument("--market", type=Path, metavar="FOLDER", help="Market-1501")
    parser.add_argument("--model", default="student")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here")
    options = parser.parse_args()
    model = resight.load_model(options.model)
    figures: dict[str, Any] = {"sequences": {}, "drawn": {}}

    def save() -> None:
        if options.json:
            config = {"model": options.model, "sequences": sorted(figures["sequences"]), "thresholds": THRESHOLDS}
            write_json(options.json, {"figures": figures, "provenance": provenance(config, seed=0)})

    for folder in options.sequence:
        seen = watch(folder, YoloxDetector(str(options.yolox), threads=1), model)
        scores = score_tracks(seen.truth, seen.tracks).to_dict()
        figures["sequences"][folder.name] = scores | {"tracker_milliseconds": seen.milliseconds}
        print(f"{folder.name}: IDF1 {scores['idf1']:.1f}, MOTA {scores['mota']:.1f}, HOTA {scores['hota']:.1f}", flush=True)
    if options.market:
        figures["market"] = market_links(market(options.market, model))
        print(f"market: {figures['market']}", flush=True)
        save()
    for detector in options.detector if options.drawn and options.fit else ():
        others = films(options.fit, detector, options.yolox, model)[1]
        threshold = fitted(others)
        watched, passages = films(options.drawn, detector, options.yolox, model)
        alone = [score_tracks(one.truth, one.tracks).to_dict() for one in watched]
        means = {name: float(np.mean([one[name] for one in alone])) for name in ("idf1", "mota", "hota")}
        everywhere = over_all(watched, passages, threshold)
        groups = scored(passages, threshold).to_dict()
        figures["drawn"][detector] = {"each": means, "all": everywhere, "threshold": threshold, "links": groups}
        limits = centred(others, threshold)
        after = {"all": over_all(watched, passages, limits), "links": scored(passages, limits).to_dict()}
        figures["drawn"][detector]["centred"] = after
        print(f"drawn, {detector}: {means}, over all cameras IDF1 {everywhere['idf1']:.1f}, threshold {threshold}", flush=True)
        print(f"less each camera's mean: over all cameras IDF1 {after['all']['idf1']:.1f}", flush=True)
        save()
    save()


if __name__ == "__main__":
    main()
