"""What teachers say: asked once or at every batch, and about which classes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import softmax

from resight.distillation.knowledge import class_mean_logits, matching_classes
from resight.distillation.soft import SoftTargetLoss
from resight.distillation.targets import CachedTeacher, OnlineTeacher, almost_uniform, entropies
from resight.errors import ArrayError, ConfigurationError
from resight.models.lomo import LomoModel
from resight.models.pytorch import NetworkModel
from resight.networks import build
from resight.networks.batches import View
from resight.training.losses import Batch

CPU = torch.device("cpu")
VIEW = View(np.array([6, 0, 3, 5]), np.array([True, False, True, False]))


def pixels(images: int = 7, size: tuple[int, int] = (32, 32)) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (images, *size, 3), np.uint8)


class Overflowing(LomoModel):
    """A model that is not a network, and whose last vector is infinite."""

    def extract(self, pixels: np.ndarray) -> np.ndarray:
        vectors = super().extract(pixels)
        vectors[-1, -1] = np.inf
        return vectors


def counter() -> tuple[list[str], Callable[..., None]]:
    calls: list[str] = []

    def count(stage: str, done: int, total: int, note: str = "") -> None:
        calls.append(stage)

    return calls, count


@pytest.mark.parametrize("size", [(32, 32), (48, 64)])
def test_cached_and_online_teacher_say_the_same(tmp_path: Path, size: tuple[int, int]) -> None:
    network = build("osnet-0.25", 5, seed=2)
    teacher = NetworkModel("t", network, device="cpu")
    columns = np.array([4, 0, 2])
    online = OnlineTeacher(teacher, pixels(size=size), columns)
    cached = CachedTeacher.ask(teacher, pixels(size=size), columns, CPU, attention=True, cache=tmp_path)
    assert online(VIEW).logits.shape == (4, 3)
    for name in ("embedding", "logits", "attention"):
        torch.testing.assert_close(getattr(cached(VIEW), name), getattr(online(VIEW), name), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(online(VIEW).maps.square().sum(1), online(VIEW).attention)
    assert cached(VIEW).maps is None
    assert not torch.equal(online(VIEW).embedding, online(View(VIEW.rows, ~VIEW.flips)).embedding)
    for teacher in (online, cached):  # without flips, the images as they are; what is shifted or erased is not seen
        plain = teacher(View(VIEW.rows, np.zeros(4, bool)))
        changed = View(VIEW.rows, None, np.full((4, 2), 3), np.full((4, 4), 8))
        torch.testing.assert_close(teacher(changed).embedding, plain.embedding)
    losses = [
        SoftTargetLoss([source], 2.0)(
            Batch(VIEW, torch.empty(0), torch.zeros(4, dtype=torch.long)),
            network(torch.zeros(4, 3, 32, 32))._replace(logits=torch.arange(12.0).view(4, 3)),
        )[0]
        for source in (online, cached)
    ]
    torch.testing.assert_close(losses[0], losses[1])


def test_an_online_teacher_runs_once_for_a_view(monkeypatch: pytest.MonkeyPatch) -> None:
    network = build("mobilenet-0.25", 4)
    online = OnlineTeacher(NetworkModel("t", network, device="cpu"), pixels(), None)
    forward, runs = network.forward, []
    monkeypatch.setattr(network, "forward", lambda images: runs.append(1) or forward(images))
    first = online(VIEW)
    assert online(VIEW) is first and len(runs) == 1
    assert first.logits is None
    online(View(VIEW.rows, VIEW.flips))
    assert len(runs) == 2


def test_the_teacher_is_asked_once_and_read_from_the_cache_afterwards(tmp_path: Path) -> None:
    teacher = NetworkModel("t", build("mobilenet-0.25", 4, seed=0), device="cpu")
    calls, count = counter()
    columns = np.arange(4)
    first = CachedTeacher.ask(teacher, pixels(3), columns, CPU, cache=tmp_path, progress=count)
    second = CachedTeacher.ask(teacher, pixels(3), columns, CPU, cache=tmp_path, progress=count)
    assert calls == ["teacher", "teacher, mirrored"]
    assert torch.equal(first.logits, second.logits) and torch.equal(first.embedding, second.embedding)
    assert CachedTeacher.ask(teacher, pixels(3), None, CPU, cache=tmp_path, progress=count).logits is None
    assert len(calls) == 2
    CachedTeacher.ask(teacher, np.ascontiguousarray(pixels(3)[:, ::-1]), columns, CPU, cache=tmp_path, progress=count)
    assert len(calls) == 4


def test_answers_that_are_not_finite_are_refused_and_not_kept(tmp_path: Path) -> None:
    network = build("mobilenet-0.25", 4, seed=0)
    next(network.parameters()).data[0] = torch.inf
    for teacher in (NetworkModel("t", network, device="cpu"), Overflowing(height=40, width=20)):
        with pytest.raises(ArrayError, match=f"teacher {teacher.name} gives NaN or infinity; its weights are damaged or too large"):
            CachedTeacher.ask(teacher, pixels(3, teacher.size), None, CPU, cache=tmp_path)
    assert not list(tmp_path.rglob("*.npy"))


def test_answers_for_mirror_images_can_be_saved(tmp_path: Path) -> None:
    teacher = NetworkModel("t", build("mobilenet-0.25", 4, seed=0), device="cpu")
    calls, count = counter()
    both = CachedTeacher.ask(teacher, pixels(3), np.arange(4), CPU, cache=tmp_path)
    for _ in range(2):
        once = CachedTeacher.ask(teacher, pixels(3), np.arange(4), CPU, mirrored=False, cache=tmp_path, progress=count)
        for name in ("embedding", "logits"):
            assert torch.equal(getattr(once, name), getattr(both, name)[:1].expand(2, -1, -1))
    assert calls == ["teacher"]


def test_answers_about_parts_are_joined(tmp_path: Path) -> None:
    teacher = NetworkModel("t", build("mobilenet-0.25", 4, seed=0), device="cpu")
    parts = [CachedTeacher.ask(teacher, part, np.arange(4), CPU, cache=tmp_path) for part in (pixels(7)[:4], pixels(7)[4:])]
    whole = CachedTeacher.ask(teacher, pixels(7), np.arange(4), CPU, cache=tmp_path)
    joined = CachedTeacher.joined(parts)(VIEW)
    torch.testing.assert_close(joined.embedding, whole(VIEW).embedding)
    torch.testing.assert_close(joined.logits, whole(VIEW).logits)
    assert joined.attention is None and CachedTeacher.joined(parts[:1]) is parts[0]


@pytest.mark.parametrize("damage", ["empty", "truncated", "other images", "other numbers", "foreign"])
def test_a_damaged_cache_is_asked_for_again(tmp_path: Path, damage: str) -> None:
    teacher = NetworkModel("t", build("mobilenet-0.25", 4, seed=0), device="cpu")
    calls, count = counter()
    first = CachedTeacher.ask(teacher, pixels(3), np.arange(4), CPU, cache=tmp_path, progress=count)
    (file,) = (tmp_path / "teachers").glob("*-logits.npy")
    if damage.startswith("other"):
        array = np.load(file)
        np.save(file, array[:, :2] if damage == "other images" else array.astype(np.float64))
    else:
        file.write_bytes({"empty": b"", "truncated": file.read_bytes()[:-4], "foreign": b"no array" * 40}[damage])
    again = CachedTeacher.ask(teacher, pixels(3), np.arange(4), CPU, cache=tmp_path, progress=count)
    assert len(calls) == 4
    assert torch.equal(first.logits, again.logits) and again.logits.dtype == torch.float32


def test_attention_is_asked_for_later_without_losing_what_is_there(tmp_path: Path) -> None:
    teacher = NetworkModel("t", build("mobilenet-0.25", 4, seed=0), device="cpu")
    calls, count = counter()
    plain = CachedTeacher.ask(teacher, pixels(3), np.arange(4), CPU, cache=tmp_path, progress=count)
    assert plain.attention is None
    files = {file: file.stat().st_mtime_ns for file in (tmp_path / "teachers").iterdir()}
    more = CachedTeacher.ask(teacher, pixels(3), np.arange(4), CPU, attention=True, cache=tmp_path, progress=count)
    assert len(calls) == 4 and more.attention.shape == (2, 3, 1, 1)
    assert all(file.stat().st_mtime_ns == written for file, written in files.items())
    assert torch.equal(more.embedding, plain.embedding)
    CachedTeacher.ask(teacher, pixels(3), np.arange(4), CPU, attention=True, cache=tmp_path, progress=count)
    assert len(calls) == 4


def test_a_descriptor_teaches_embeddings(tmp_path: Path) -> None:
    lomo = LomoModel(height=40, width=20)
    images = pixels(3, (40, 20))
    answers = CachedTeacher.ask(lomo, images, None, CPU, attention=True, cache=tmp_path)
    found = answers(View(np.array([2, 2]), np.array([False, True])))
    np.testing.assert_allclose(found.embedding[0], lomo.extract(images[2:])[0], rtol=1e-6)
    np.testing.assert_allclose(found.embedding[1], lomo.extract(np.ascontiguousarray(images[2:, :, ::-1]))[0], rtol=1e-6)
    assert found.logits is None and found.attention is None


def test_classes_are_matched_by_identity() -> None:
    network = build("mobilenet-0.25", 3)
    known = NetworkModel("t", network, identities=("ann", "bob", "4"), device="cpu")
    assert matching_classes(known, ["bob", "4"], ["ann", "bob", "4"]).tolist() == [1, 2]
    with pytest.raises(ConfigurationError, match="does not know 1 of the 2 training identities"):
        matching_classes(known, ["4", "5"], ["4", "5"])
    foreign = NetworkModel("t", network, device="cpu")
    assert matching_classes(foreign, ["9", "12"], ["4", "9", "12"]).tolist() == [1, 2]
    with pytest.raises(ConfigurationError, match="tells 3 people apart and the data set has 2"):
        matching_classes(foreign, ["4", "5"], ["4", "5"])


def test_entropies_grow_with_the_temperature_up_to_the_uniform() -> None:
    found = entropies(8 * torch.randn(10, 50, generator=torch.Generator().manual_seed(0)), (1, 2, 5, 30))
    values = list(found["nats"].values())
    assert values == sorted(values)
    assert values[-1] < found["uniform"] == pytest.approx(np.log(50))


@pytest.mark.parametrize("spread", [0.4, 6.0, 90.0])
def test_almost_uniform_targets_are_a_twentieth_of_a_nat_below_the_largest_entropy(spread: float) -> None:
    logits = [spread * torch.randn(40, 300, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1)]
    temperature = almost_uniform(logits)
    chances = softmax(np.concatenate(logits) / temperature, axis=1)
    nats = -(chances * np.log(chances)).sum(1).mean()
    assert nats == pytest.approx(np.log(300) - 0.05, abs=0.003)
    # far up, log(classes) - entropy is half of the variance of logits / T
    assert temperature == pytest.approx(spread / np.sqrt(2 * 0.05), rel=0.06)


def test_a_teacher_whose_answers_do_not_differ_has_no_temperature() -> None:
    with pytest.raises(ConfigurationError, match="its answers hardly differ; set a number"):
        almost_uniform([torch.ones(3, 300)])


def test_class_means_give_the_logits_of_a_teacher_without_classes() -> None:
    random = np.random.default_rng(0)
    labels = np.array([0, 0, 0, 1, 1, 2, -1])
    vectors = random.normal(size=(2, 7, 5)) + 0.5 * np.eye(5)[labels]
    logits = class_mean_logits(torch.from_numpy(vectors.astype(np.float32)), labels, 3).numpy()
    unit = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    wanted = np.empty((2, 7, 3))
    for way, row, person in np.ndindex(2, 7, 3):
        others = [other for other in range(7) if labels[other] == person and (other != row or (labels == person).sum() == 1)]
        mean = unit[:, others].sum((0, 1))
        wanted[way, row, person] = unit[way, row] @ mean / np.linalg.norm(mean)
    scale = logits[0, 0, 0] / wanted[0, 0, 0]
    np.testing.assert_allclose(logits, scale * wanted, rtol=1e-4)

    def unlikely(scale: float) -> float:
        return float(torch.nn.functional.cross_entropy(torch.from_numpy(scale * wanted[0, :6]), torch.from_numpy(labels[:6])))

    assert unlikely(scale) <= min(unlikely(scale * 1.2), unlikely(scale / 1.2))
