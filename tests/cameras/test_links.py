"""The same person across cameras."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from resight.cameras.camera_means import CameraMeans, centred
from resight.cameras.groups import score_groups
from resight.cameras.links import Limits, Linker
from resight.cameras.ways import Ways, learn_ways
from resight.errors import ArrayError, ConfigurationError, NoMatchError


@dataclass(frozen=True)
class Walk:
    """A passage."""

    name: str
    camera: str
    start: float
    end: float
    embedding: NDArray[np.float32]


def walk(name: str, camera: str, start: float, *look: float, lasts: float = 5) -> Walk:
    return Walk(name, camera, start, start + lasts, np.array(look, np.float32))


def kinds(linker: Linker, *walks: Walk) -> list[tuple[str, int]]:
    return [(change.kind, change.person) for one in walks for change in linker.add(one)]


def test_who_looks_alike_is_one_person() -> None:
    linker = Linker(0.3)
    told = kinds(
        linker, walk("a", "door", 0, 1, 0), walk("b", "door", 3, 0, 1), walk("c", "hall", 20, 9, 1), walk("d", "hall", 30, 0, 2)
    )
    assert told == [("new", 1), ("new", 2), ("seen again", 1), ("seen again", 2)]
    assert linker.people() == {1: ("a", "c"), 2: ("b", "d")}


def test_nobody_is_in_two_places_at_once() -> None:
    twins = walk("a", "door", 0, 1, 0), walk("b", "hall", 2, 1, 0)
    assert kinds(Linker(0.3), *twins) == [("new", 1), ("new", 2)]
    overlapping = Ways(shortest={("door", "hall"): -10})
    assert kinds(Linker(0.3, overlapping), *twins) == [("new", 1), ("seen again", 1)]


def test_a_way_takes_its_time() -> None:
    ways = Ways(shortest={("door", "hall"): 10}, longest={("door", "hall"): 60})
    for start, kind in ((12, "new"), (20, "seen again"), (80, "new")):
        assert kinds(Linker(0.3, ways), walk("a", "door", 0, 1, 0), walk("b", "hall", start, 1, 0))[1][0] == kind
    with pytest.raises(ConfigurationError, match="longest last"):
        Ways(shortest={("a", "b"): 5}, longest={("a", "b"): 4})


def test_later_evidence_merges_and_says_so() -> None:
    linker = Linker(0.3)
    linker.add(walk("front", "door", 0, 1, 0))
    linker.add(walk("back", "hall", 10, 0.6, 0.8))  # 0.4 from the front
    change = linker.add(walk("side", "yard", 20, 0.9, 0.43))
    assert [(one.kind, one.person, one.former) for one in change] == [("seen again", 1, None), ("merged", 1, 2)]
    assert change[1].passages == ("back",) and linker.people() == {1: ("front", "side", "back")}


def test_an_operator_splits_and_merges() -> None:
    linker = Linker(0.3)
    for number in range(3):
        linker.add(walk(f"w{number}", "door", 10 * number, 1, 0))
    told = linker.split(1, {"w2"})
    assert (told.kind, told.person, told.former, told.passages) == ("split", 2, 1, ("w2",))
    linker.add(walk("w3", "door", 40, 1, 0))
    assert len(linker.people()) == 2  # the two are not joined again by themselves
    assert linker.merge(2, 1).person == 1 and len(linker.people()) == 1
    for wrong in (lambda: linker.split(1, {"w9"}), lambda: linker.split(7, {"w0"}), lambda: linker.merge(1, 1)):
        with pytest.raises(ConfigurationError):
            wrong()


def test_who_was_not_seen_for_long_is_forgotten() -> None:
    linker = Linker(0.3, memory=100)
    assert kinds(linker, walk("a", "door", 0, 1, 0), walk("b", "door", 300, 1, 0)) == [("new", 1), ("new", 2)]
    assert linker.people() == {2: ("b",)}


def test_an_embedding_without_direction_is_refused() -> None:
    for look in ((0, 0), (np.nan, 1)):
        with pytest.raises(ArrayError, match="passage a"):
            Linker(0.3).add(walk("a", "door", 0, *look))
    with pytest.raises(ConfigurationError, match="threshold 3"):
        Linker(3)


def test_travel_times_are_learned() -> None:
    rng = np.random.default_rng(0)
    walks, people = [], []
    for person in range(50):
        start = 100.0 * person
        walks += [walk(f"{person}", "door", start), walk(f"{person}'", "hall", start + 5 + rng.uniform(20, 30))]
        people += [str(person)] * 2
    ways = learn_ways(walks, people)
    assert 15 < ways.shortest["door", "hall"] < 21 and 29 < ways.longest["door", "hall"] < 34
    assert ("hall", "door") not in ways.shortest
    assert learn_ways(walks[:6], people[:6]).longest == {}


def test_scores_of_groups_are_counted_pair_by_pair() -> None:
    rng = np.random.default_rng(1)
    people, groups = rng.integers(0, 6, 40).tolist(), rng.integers(0, 9, 40).tolist()
    scores = score_groups(people, groups)
    pairs = list(combinations(range(40), 2))
    grouped = [(i, j) for i, j in pairs if groups[i] == groups[j]]
    same = [(i, j) for i, j in pairs if people[i] == people[j]]
    right = len(set(grouped) & set(same))
    assert (scores.pair_precision, scores.pair_recall) == pytest.approx((right / len(grouped), right / len(same)))
    shares = [np.mean([people[j] == people[i] for j in range(40) if groups[j] == groups[i]]) for i in range(40)]
    assert scores.b_precision == pytest.approx(np.mean(shares))
    shares = [np.mean([groups[j] == groups[i] for j in range(40) if people[j] == people[i]]) for i in range(40)]
    assert scores.b_recall == pytest.approx(np.mean(shares))
    assert score_groups("aab", "xxy").b_f1 == 1
    with pytest.raises(NoMatchError):
        score_groups([], [])


def test_the_mean_of_a_camera_is_shrunk_and_taken_back() -> None:
    rng, means = np.random.default_rng(3), CameraMeans()
    looks, cameras = rng.standard_normal((30, 4)), np.repeat(["door", "hall", "yard"], (20, 8, 2))
    units = looks / np.linalg.norm(looks, axis=1, keepdims=True)
    means.add("gate", units[0])
    for unit, camera in zip(units, cameras.tolist(), strict=True):
        means.add(camera, unit)
    means.add("gate", units[0], -1)
    expected = {}
    for camera in ("door", "hall", "yard"):  # five passages that look like everybody beside the camera's own
        expected[camera] = np.concatenate([units[cameras == camera], np.tile(units.mean(axis=0), (5, 1))]).mean(axis=0)
    assert means.known
    np.testing.assert_allclose(means.of(expected), list(expected.values()), atol=1e-12)
    rest = units - np.stack([expected[camera] for camera in cameras.tolist()])
    np.testing.assert_allclose(centred(looks, cameras), rest / np.linalg.norm(rest, axis=1, keepdims=True), atol=1e-6)


def test_a_linker_compares_what_the_cameras_do_not_explain() -> None:
    rng = np.random.default_rng(4)
    looks = rng.standard_normal((40, 32))
    light = {"door": 6 * np.eye(32)[0], "hall": 6 * np.eye(32)[1]}  # stronger than what tells people apart
    walks = []
    for person in rng.permutation(40).tolist():
        for hours, camera in enumerate(light):
            seen = looks[person] + light[camera] + rng.normal(0, 0.2, 32)
            walks.append(walk(f"{camera} {person}", camera, 1e4 * hours + 100 * person, *seen))
    walks.sort(key=lambda one: one.start)

    def score(limits: Limits) -> float:
        linker = Linker(limits)
        for one in walks:
            linker.add(one)
        return score_groups([one.name.split()[1] for one in walks], [linker.person_of(one.name) for one in walks]).b_f1

    plain = [score(Limits(lambda vector, at=at: at)) for at in np.linspace(0.05, 0.9, 18)]  # type: ignore[misc]
    assert max(plain) < 0.75
    assert score(Limits(lambda vector: 0.05, lambda people: 0.3)) > 0.95


def test_who_came_before_the_cameras_were_known_is_compared_again() -> None:
    rng = np.random.default_rng(5)
    looks, light = rng.standard_normal((16, 32)), {"door": 3 * np.eye(32)[0], "hall": 3 * np.eye(32)[1]}
    told = []
    linker = Linker(Limits(lambda vector: 0.01, lambda people: 0.3))
    for number in range(16):
        camera = ("door", "hall")[number % 2]
        told += linker.add(walk(f"{number}", camera, 100 * number, *(looks[number // 2] + light[camera])))
    assert {(one.kind, one.former) for one in told if "1" in one.passages} == {("new", None), ("merged", 2)}
