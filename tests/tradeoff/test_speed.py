"""Speed: models of known cost on a clock of their own, rounds that are interleaved, and a warm-up that does not count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from resight.datasets import open_dataset
from resight.errors import ConfigurationError, ResightError
from resight.tradeoff.bench import interleaved
from resight.tradeoff.speed import Speed, SpeedConfig
from tradeoff.fakes import Clock, TimedModel, bench


def batched(count: int) -> float:
    """2 ms a call and 1 ms an image; beyond 32 images a cache overflows, and it is 1.5 ms."""
    return 0.002 + count * (0.001 if count <= 32 else 0.0015)


@pytest.fixture
def paths(tiny: Path) -> tuple[str, ...]:
    return open_dataset(tiny).gallery.paths[:20]


def test_figures_are_those_of_the_cost(paths: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    config = SpeedConfig(rounds=3)
    model = bench(TimedModel(Clock(), batched), paths, config, monkeypatch, read=0.004, embed=lambda n: 0.01 + 0.003 * n)
    speed = Speed.over([model.one_round() | model.search() for _ in range(3)], config.batch_sizes)
    assert speed.latency_ms == speed.latency_p95_ms == pytest.approx(3)
    assert speed.file_latency_ms == pytest.approx(7)
    assert speed.by_batch == pytest.approx({1: 1000 / 3, 8: 800, 32: 32 / 0.034, 64: 64 / 0.098})
    assert (speed.batch_size, speed.network_images_per_second) == (32, pytest.approx(32 / 0.034))
    assert speed.images_per_second == pytest.approx(20 / 0.07)
    assert speed.search_ms == pytest.approx(20)
    assert speed.ranges["images_per_second"] == pytest.approx((20 / 0.07, 20 / 0.07))


def test_a_latency_has_its_95th_percentile(paths: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    calls = iter(range(10**6))
    model = TimedModel(Clock(), lambda _: 0.011 if next(calls) % 10 == 9 else 0.001)  # every tenth call is slow
    found = bench(model, paths, SpeedConfig(batch_sizes=(1,)), monkeypatch).one_round()
    assert found["latency_ms"] == pytest.approx(1)
    assert found["latency_p95_ms"] == pytest.approx(11)


def test_a_figure_takes_as_long_as_asked_for(paths: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    model = TimedModel(Clock(), lambda _: 0.01)
    bench(model, paths, SpeedConfig(batch_sizes=(8,), seconds=2.0), monkeypatch).one_round()
    counted = Counter(model.calls)
    assert counted[8] in (201, 202)  # 2 s of 10 ms, and one that does not count; either side of rounding
    slow = TimedModel(Clock(), lambda _: 5.0)
    bench(slow, paths, SpeedConfig(batch_sizes=(8,), seconds=2.0), monkeypatch).one_round()
    assert Counter(slow.calls) == {8: 2, 1: 2 * 21}  # one of a batch, and 20 single images for a percentile


def test_the_warm_up_does_not_count(paths: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    seen: set[int] = set()

    def compiles(count: int) -> float:  # whatever size comes for the first time takes a minute
        first = count not in seen
        seen.add(count)
        return 60.0 if first else 0.001 * count

    embedded: list[int] = []

    def embeds(count: int) -> float:
        embedded.append(count)
        return 60.0 if len(embedded) == 1 else 0.001 * count

    model = bench(TimedModel(Clock(), compiles), paths, SpeedConfig(batch_sizes=(1, 4)), monkeypatch, embed=embeds)
    model.warm_up()
    found = model.one_round()
    assert found["batch_1"] == pytest.approx(1000)
    assert found["batch_4"] == pytest.approx(1000)
    assert found["images_per_second"] == pytest.approx(1000)


def test_fewer_images_than_a_batch_are_repeated(paths: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    model = TimedModel(Clock(), batched)
    found = bench(model, paths[:3], SpeedConfig(batch_sizes=(16,)), monkeypatch).one_round()
    assert max(model.calls) == 16
    assert found["batch_16"] == pytest.approx(16 / 0.018)


def test_median_and_range_are_over_the_rounds() -> None:
    rounds = [{"images_per_second": rate, "batch_1": 2 * rate, "batch_2": 100 - rate} for rate in (30.0, 10.0, 20.0, 90.0, 40.0)]
    others = dict.fromkeys(("latency_ms", "latency_p95_ms", "file_latency_ms", "file_latency_p95_ms"), 1.0)
    speed = Speed.over([one | others for one in rounds], (1, 2))
    assert speed.images_per_second == 30
    assert speed.ranges["images_per_second"] == (10, 90)
    # Batch 2 has the higher median, 70 to 60, though batch 1 had the fastest single round.
    assert (speed.batch_size, speed.network_images_per_second) == (2, 70)
    assert speed.ranges["network_images_per_second"] == (10, 90)
    assert (speed.search_ms, speed.memory_mb) == (None, None)


def test_a_search_that_would_not_fit_is_left_out(paths: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    model = TimedModel(Clock(), batched)
    model.embedding_size = 26_960
    assert bench(model, paths, SpeedConfig(), monkeypatch).search() == {}


def test_rounds_are_interleaved_and_shuffled() -> None:
    def calls(seed: int) -> list[str]:
        log: list[str] = []
        works: list[Callable[[], None]] = [lambda name=name: log.append(name) for name in "abcde"]  # type: ignore[misc]
        assert [len(found) for found in interleaved(works, 8, seed=seed) if isinstance(found, list)] == [8] * 5
        return log

    log = calls(0)
    rounds = [log[start : start + 5] for start in range(0, len(log), 5)]
    assert all(sorted(one) == list("abcde") for one in rounds)  # everybody once in every round
    assert len({tuple(one) for one in rounds}) > 5
    assert calls(0) == log != calls(1)


def test_one_that_fails_stops_no_other() -> None:
    attempts = []

    def fails() -> int:
        attempts.append(1)
        if len(attempts) == 2:
            raise ResightError("out of memory")
        return 1

    fine, failed = interleaved([lambda: 7, fails], 4)
    assert fine == [7] * 4
    assert isinstance(failed, ResightError)
    assert len(attempts) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rounds": 0}, "0 rounds"),
        ({"batch_sizes": ()}, "batch sizes"),
        ({"batch_sizes": (0, 8)}, "from 1 on"),
        ({"batch_sizes": (8, 8)}, "each once"),
        ({"seconds": 0.0}, "seconds"),
    ],
)
def test_what_cannot_be_measured_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        SpeedConfig(**options)  # type: ignore[arg-type]


def test_no_images_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match="no image"):
        bench(TimedModel(Clock(), batched), [], SpeedConfig(), monkeypatch)


def test_the_real_search_and_the_real_clock(paths: tuple[str, ...]) -> None:
    from resight.tradeoff.bench import Bench

    real = Bench(TimedModel(Clock(), batched), paths, SpeedConfig(seconds=0.001))
    assert 0 < real.search()["search_ms"] < 10_000
    assert all(np.isfinite(value) and value > 0 for value in real.one_round().values())
