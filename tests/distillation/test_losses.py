"""Losses between embeddings and between distributions, against their formulas in NumPy."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given
from hypothesis import strategies as st

from distillation.teachers import batch_of, outputs_of, teacher_of
from resight.distillation.embedding import EmbeddingLoss
from resight.distillation.rkd import RelationalLoss, angle_loss, distance_loss
from resight.distillation.similarity import SimilarityLoss
from resight.distillation.soft import SoftTargetLoss, soft_target_loss
from resight.distillation.space import TeacherSpace
from resight.distillation.targets import entropies
from resight.errors import ConfigurationError
from resight.networks.batches import View
from resight.training.losses import HardLabelLoss, WeightedLosses


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def scaled(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def huber(difference: np.ndarray) -> np.ndarray:
    return np.where(np.abs(difference) < 1, difference**2 / 2, np.abs(difference) - 0.5)


@pytest.mark.parametrize("temperature", [1.0, 3.0, 20.0])
@pytest.mark.parametrize("weight", [0.0, 0.001, 2.0])
def test_equation_2(temperature: float, weight: float) -> None:
    random = np.random.default_rng(0)
    teacher, student = 5 * random.normal(size=(2, 6, 7))
    labels = random.integers(0, 7, 6)
    soft = -(softmax(teacher / temperature) * np.log(softmax(student / temperature))).sum(1).mean()
    hard = -np.log(softmax(student)[np.arange(6), labels]).mean()
    answers = teacher_of(logits=np.stack([teacher, teacher]))
    loss = WeightedLosses({"hard": (weight, HardLabelLoss()), "soft": (1.0, SoftTargetLoss([answers], temperature))})
    total, parts = loss(batch_of(np.arange(6), labels=labels), outputs_of(logits=torch.from_numpy(student)))
    assert parts["soft"].item() == pytest.approx(soft, rel=1e-5)
    assert total.item() == pytest.approx(soft + weight * hard, rel=1e-5)
    if weight:
        assert parts["hard"].item() == pytest.approx(hard, rel=1e-5)


def test_several_teachers_are_the_mean_of_their_distributions() -> None:
    random = np.random.default_rng(1)
    teachers, student = 3 * random.normal(size=(3, 2, 6, 5)), random.normal(size=(4, 5))
    rows, flips = np.array([5, 0, 0, 2]), np.array([False, True, False, True])
    loss = SoftTargetLoss([teacher_of(logits=logits) for logits in teachers], 2.0)
    found, _ = loss(batch_of(rows, flips), outputs_of(logits=torch.from_numpy(student)))
    mean = np.mean([softmax(logits[flips.astype(int), rows] / 2) for logits in teachers], axis=0)
    assert found.item() == pytest.approx(-(mean * np.log(softmax(student / 2))).sum(1).mean(), rel=1e-5)


def test_a_student_like_its_teacher_has_the_least_loss() -> None:
    teacher = torch.randn(4, 5, generator=torch.Generator().manual_seed(0))
    student = teacher.clone().requires_grad_()
    loss = soft_target_loss(teacher, student, 3.0)
    loss.backward()
    assert student.grad is not None
    assert student.grad.abs().max() < 1e-6
    entropy = entropies(teacher, (3.0,))
    assert loss.item() == pytest.approx(entropy["nats"]["3"], rel=1e-5)
    assert entropy["uniform"] == pytest.approx(np.log(5))


def test_a_teacher_without_classes_has_no_soft_targets() -> None:
    loss = SoftTargetLoss([teacher_of(embedding=np.zeros((2, 4, 3)))], 1.0)
    with pytest.raises(ConfigurationError, match="--soft-weight 0"):
        loss(batch_of(np.arange(4)), outputs_of(logits=torch.zeros(4, 5)))


def centred(*teachers: np.ndarray) -> np.ndarray:
    """The teachers' embeddings side by side, each of length 1, about their mean: (2, n, d)."""
    together = np.concatenate([scaled(teacher) for teacher in teachers], -1)
    return together - together.mean((0, 1))


@pytest.mark.parametrize("dimensions", [12, 12 + 7, 64])
def test_a_space_of_full_rank_keeps_every_cosine(dimensions: int) -> None:
    random = np.random.default_rng(2)
    teachers = random.normal(size=(2, 30, 12)) + 3, 5 * random.normal(size=(2, 30, 7))
    given = teachers[: 1 if dimensions == 12 else 2]
    space = TeacherSpace([teacher_of(teacher) for teacher in given], dimensions)
    rows, flips = random.integers(0, 30, 20), random.random(20) < 0.5
    found = space(View(rows, flips)).numpy()
    assert found.shape == (20, dimensions)
    expected = centred(*given)[flips.astype(int), rows]
    np.testing.assert_allclose(scaled(found) @ scaled(found).T, scaled(expected) @ scaled(expected).T, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), np.linalg.norm(expected, axis=1), rtol=1e-5)
    # where the student has more numbers than the teachers, the rest is zero
    assert not found[:, sum(teacher.shape[-1] for teacher in given) :].any()


def test_a_smaller_space_holds_the_principal_components() -> None:
    random = np.random.default_rng(3)
    teacher = random.normal(size=(2, 40, 10)) * np.arange(1, 11)
    space = TeacherSpace([teacher_of(teacher)], 4)
    found = np.concatenate([space(View(np.arange(40), np.full(40, flip))).numpy() for flip in (False, True)])
    rows = centred(teacher).reshape(80, 10)
    left, sizes, _ = np.linalg.svd(rows, full_matrices=False)
    # directions are known up to their sign, and the sums of products do not depend on it
    np.testing.assert_allclose(found @ found.T, (left[:, :4] * sizes[:4] ** 2) @ left[:, :4].T, atol=1e-5)
    np.testing.assert_allclose(found.mean(0), 0, atol=1e-6)


def test_several_teachers_in_one_of_their_sizes_keep_to_the_numbers_of_the_first() -> None:
    random = np.random.default_rng(9)
    first, second = random.normal(size=(2, 40, 6)), random.normal(size=(2, 40, 5))
    space = TeacherSpace([teacher_of(first), teacher_of(second)], 7)
    found = np.concatenate([space(View(np.arange(40), np.full(40, flip))).numpy() for flip in (False, True)])
    rows, wanted = centred(first, second).reshape(80, 11), np.pad(centred(first).reshape(80, 6), ((0, 0), (0, 1)))
    left, sizes, _ = np.linalg.svd(rows, full_matrices=False)
    components = left[:, :7] * sizes[:7]
    turn, _ = scipy.linalg.orthogonal_procrustes(components, wanted)
    np.testing.assert_allclose(found[:, :6], (components @ turn)[:, :6], atol=1e-5)
    np.testing.assert_allclose(found @ found.T, components @ components.T, atol=1e-5)


@pytest.mark.parametrize(("numbers", "dimensions"), [(6, 6), (6, 9), (10, 7)])
def test_a_space_is_turned_to_agree_with_a_student_that_has_learned_before(numbers: int, dimensions: int) -> None:
    random = np.random.default_rng(10)
    teacher, student = random.normal(size=(2, 40, numbers)), random.normal(size=(30, dimensions)) + 2
    plain, turned = (
        TeacherSpace([teacher_of(teacher)], dimensions, before) for before in (None, torch.from_numpy(student).float())
    )
    first, second = (
        np.concatenate([space(View(np.arange(40), np.full(40, flip))).numpy() for flip in (False, True)]).astype(np.float64)
        for space in (plain, turned)
    )
    np.testing.assert_allclose(second @ second.T, first @ first.T, atol=1e-5)  # no cosine and no length has changed
    wanted = student - student.mean(0)
    rotation, _ = scipy.linalg.orthogonal_procrustes(first[:30], wanted)
    best = np.sum(first[:30] @ rotation * wanted)
    assert np.sum(second[:30] * wanted) == pytest.approx(best, rel=1e-5)
    assert best > np.sum(first[:30] * wanted)


def test_targets_without_what_cameras_do_and_with_their_neighbours_in_others() -> None:
    """By loops: the mean of a camera, as if it had seen 20 average images too, is subtracted; then neighbours are added."""
    random = np.random.default_rng(11)
    teacher, cameras = random.normal(size=(2, 50, 6)), random.integers(-1, 3, 50).tolist()  # -1 is not known
    turn = np.linalg.qr(random.normal(size=(6, 6)))[0]  # where the student is
    first = 40  # the others are copies
    space = TeacherSpace(
        [teacher_of(teacher)], 6, torch.from_numpy(random.normal(size=(first, 6)) @ turn), [""] * first, cameras, 2
    )
    rows = centred(teacher)
    for camera in {*cameras} - {-1}:
        some = np.equal(cameras, camera)
        rows[:, some] -= rows[:, some].mean(0).sum(0) / (some.sum() + 20)
    rows = scaled(rows)
    both, wanted = scaled(rows.mean(0)), rows.copy()
    for one in range(first):
        others = [other for other in range(first) if cameras[other] != cameras[one] and -1 not in (cameras[one], cameras[other])]
        for other in sorted(others, key=lambda other: -both[one] @ both[other])[:2]:
            wanted[:, one] += max(both[one] @ both[other], 0) ** 2 * rows[:, other]
    wanted = scaled(wanted)
    found = np.stack([space(View(np.arange(50), np.full(50, flip))).numpy() for flip in (False, True)])
    np.testing.assert_allclose(
        found.reshape(100, 6) @ found.reshape(100, 6).T, wanted.reshape(100, 6) @ wanted.reshape(100, 6).T, atol=1e-5
    )


def test_a_space_for_descriptors_that_are_far_too_long_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="26960 numbers together; expected 8192 at most"):
        TeacherSpace([teacher_of(np.zeros((2, 1, 26960)))], 256)


def test_the_embedding_loss_is_the_mean_of_1_minus_cosine() -> None:
    random = np.random.default_rng(4)
    teacher, student = random.normal(size=(2, 9, 6)), random.normal(size=(5, 6))
    rows, flips = np.array([8, 1, 1, 0, 4]), np.array([True, False, True, False, True])
    space = TeacherSpace([teacher_of(teacher)], 6)
    found, _ = EmbeddingLoss(space)(batch_of(rows, flips), outputs_of(embedding=torch.from_numpy(student)))
    targets = space(View(rows, flips)).numpy()
    assert found.item() == pytest.approx(1 - (scaled(student) * scaled(targets)).sum(1).mean(), rel=1e-5)
    best, _ = EmbeddingLoss(space)(batch_of(rows, flips), outputs_of(embedding=3 * space(View(rows, flips))))
    assert best.item() == pytest.approx(0, abs=1e-6)


def test_the_similarity_loss_compares_all_cosines_whatever_the_student_is_turned_to() -> None:
    random = np.random.default_rng(5)
    teacher, student = random.normal(size=(2, 9, 6)), random.normal(size=(5, 4))
    rows, flips = np.array([8, 1, 1, 0, 4]), np.array([True, False, True, False, True])
    loss = SimilarityLoss(TeacherSpace([teacher_of(teacher)], 6))
    found, _ = loss(batch_of(rows, flips), outputs_of(embedding=torch.from_numpy(student)))
    targets = scaled(centred(teacher)[flips.astype(int), rows])
    expected = np.mean((scaled(student) @ scaled(student).T - targets @ targets.T) ** 2)
    assert found.item() == pytest.approx(expected, rel=1e-4)
    turned = 2 * targets @ np.linalg.qr(random.normal(size=(6, 6)))[0]
    best, _ = loss(batch_of(rows, flips), outputs_of(embedding=torch.from_numpy(turned)))
    assert best.item() == pytest.approx(0, abs=1e-9)


def relations(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Equations (6) and (9) of the paper, pair by pair and triangle by triangle."""
    distances = np.array([np.linalg.norm(a - b) for a, b in itertools.permutations(rows, 2)])
    cosines = [scaled(a - b) @ scaled(c - b) for a, b, c in itertools.permutations(rows, 3)]
    return distances / distances.mean(), np.array(cosines)


@given(st.integers(3, 6), st.integers(1, 5), st.integers(1, 5), st.integers(0, 999))
def test_relations_are_compared_as_the_paper_says(images: int, own: int, taught: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    student, teacher = random.normal(size=(images, own)), 4 * random.normal(size=(images, taught))
    expected = [huber(a - b).mean() for a, b in zip(relations(student), relations(teacher), strict=True)]
    given = torch.from_numpy(student), torch.from_numpy(teacher)
    assert distance_loss(*given).item() == pytest.approx(expected[0], rel=1e-4, abs=1e-6)
    assert angle_loss(*given).item() == pytest.approx(expected[1], rel=1e-4, abs=1e-6)


def test_relations_do_not_change_with_scale_turn_and_place() -> None:
    random = np.random.default_rng(6)
    teacher = random.normal(size=(7, 5))
    student = 9 * teacher @ np.linalg.qr(random.normal(size=(5, 5)))[0] + 2
    given = torch.from_numpy(student), torch.from_numpy(teacher)
    assert distance_loss(*given).item() == pytest.approx(0, abs=1e-12)
    assert angle_loss(*given).item() == pytest.approx(0, abs=1e-12)


def test_relations_of_equal_rows_have_gradients_of_the_size_of_the_others() -> None:
    random = torch.Generator().manual_seed(0)
    rows, teacher = torch.randn(6, 4, generator=random), torch.randn(6, 4, generator=random)
    sizes = []
    for equal in (False, True):
        student = rows.clone()
        student[1] = student[0] if equal else student[1]
        student.requires_grad_()
        (distance_loss(student, teacher) + 2 * angle_loss(student, teacher)).backward()
        assert student.grad is not None and student.grad.isfinite().all()
        sizes.append(student.grad.norm().item())
    assert sizes[1] < 3 * sizes[0]


def test_the_relational_loss_adds_them_one_to_two() -> None:
    random = np.random.default_rng(7)
    teacher, student = random.normal(size=(2, 9, 6)), torch.from_numpy(random.normal(size=(5, 3)))
    rows = np.array([8, 1, 3, 0, 4])
    loss = RelationalLoss(TeacherSpace([teacher_of(teacher)], 6))
    total, parts = loss(batch_of(rows), outputs_of(embedding=student))
    targets = torch.from_numpy(centred(teacher)[0, rows])  # without flips, the images as they are
    assert parts["rkd_distance"].item() == pytest.approx(distance_loss(student, targets).item(), rel=1e-4)
    assert parts["rkd_angle"].item() == pytest.approx(angle_loss(student, targets).item(), rel=1e-4)
    assert total.item() == pytest.approx(parts["rkd_distance"].item() + 2 * parts["rkd_angle"].item(), rel=1e-6)
