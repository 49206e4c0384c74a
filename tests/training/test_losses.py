"""Losses of the ground truth against their formulas."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from resight.networks.batches import View
from resight.networks.network import Outputs
from resight.training.losses import Batch, HardLabelLoss, TripletLoss, WeightedLosses, batch_hard_triplet, pairwise_distances

RANDOM = np.random.default_rng(0)


def batch_of(labels: np.ndarray) -> Batch:
    return Batch(View(np.arange(len(labels))), torch.empty(0), torch.from_numpy(labels))


def outputs_of(features: np.ndarray, embedding: np.ndarray, logits: np.ndarray) -> Outputs:
    return Outputs(torch.empty(0), *(torch.from_numpy(array) for array in (features, embedding, logits)))


def triplet_by_triplets(features: np.ndarray, labels: np.ndarray, margin: float) -> float:
    """The largest of all triplets of an anchor, looked at one after the other."""
    losses = []
    for a in range(len(labels)):
        hardest = 0.0
        for p in range(len(labels)):
            for n in range(len(labels)):
                if labels[p] == labels[a] != labels[n]:
                    triplet = margin + np.linalg.norm(features[a] - features[p]) - np.linalg.norm(features[a] - features[n])
                    hardest = max(hardest, triplet)
        losses.append(hardest)
    return float(np.mean(losses))


@pytest.mark.parametrize("margin", [0.0, 0.3, 5.0])
@pytest.mark.parametrize("labels", [[0, 0, 1, 1, 2, 2, 2], [0, 1, 2, 3], [4, 4, 4, 9], [1, 1, 1, 1]])
def test_batch_hard_triplet_is_the_hardest_of_all_triplets(labels: list[int], margin: float) -> None:
    features = RANDOM.normal(size=(len(labels), 5))
    found = batch_hard_triplet(torch.from_numpy(features), torch.tensor(labels), margin)
    assert found.item() == pytest.approx(triplet_by_triplets(features, np.array(labels), margin), abs=2e-6)


@given(st.integers(2, 8), st.integers(1, 6), st.integers(0, 999))
def test_distances_are_those_of_numpy(rows: int, numbers: int, seed: int) -> None:
    features = np.random.default_rng(seed).normal(size=(rows, numbers))
    expected = np.linalg.norm(features[:, None] - features[None], axis=2)
    np.testing.assert_allclose(pairwise_distances(torch.from_numpy(features)), expected, atol=2e-6)


def test_identical_rows_have_a_finite_gradient_and_do_not_drown_the_others() -> None:
    rows = torch.from_numpy(10 * RANDOM.normal(size=(6, 8)).astype(np.float32))
    rows[1], rows[4] = rows[0], rows[3]
    labels = torch.tensor([0, 0, 0, 1, 1, 1])
    features = rows.clone().requires_grad_()
    batch_hard_triplet(features, labels, 30.0).backward()
    assert features.grad is not None
    # each image pulls one and pushes one at length 1, so that no row is moved by more than all of them together
    assert features.grad.isfinite().all() and features.grad.norm(dim=1).max() <= 2
    nothing = torch.zeros(4, 8, requires_grad=True)
    batch_hard_triplet(nothing, torch.tensor([0, 0, 1, 1]), 0.3).backward()
    assert nothing.grad is not None and nothing.grad.isfinite().all()


def test_the_triplet_loss_looks_at_the_features_before_the_neck() -> None:
    labels = np.array([0, 0, 1, 1])
    features, embedding, logits = (RANDOM.normal(size=(4, size)).astype(np.float32) for size in (6, 6, 2))
    found, parts = TripletLoss(0.3)(batch_of(labels), outputs_of(features, embedding, logits))
    assert found.item() == pytest.approx(triplet_by_triplets(features, labels, 0.3), abs=1e-5)
    assert not parts


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_label_smoothing_is_its_formula(smoothing: float) -> None:
    logits = 3 * RANDOM.normal(size=(5, 7))
    labels = RANDOM.integers(0, 7, 5)
    logs = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    targets = np.full((5, 7), smoothing / 7)
    targets[np.arange(5), labels] += 1 - smoothing
    found, _ = HardLabelLoss(smoothing)(batch_of(labels), outputs_of(logits, logits, logits))
    assert found.item() == pytest.approx(-(targets * logs).sum(1).mean(), rel=1e-5)


def test_a_weighted_sum_keeps_its_parts_and_leaves_out_what_has_no_weight() -> None:
    labels = np.array([0, 0, 1, 1])
    arrays = [RANDOM.normal(size=(4, size)).astype(np.float32) for size in (6, 6, 2)]
    arrays[2][:] = [[3, 1], [1, 3], [1, 3], [1, 3]]
    batch, outputs = batch_of(labels), outputs_of(*arrays)
    loss = WeightedLosses({"hard": (0.25, HardLabelLoss()), "triplet": (2.0, TripletLoss(0.3)), "none": (0.0, HardLabelLoss())})
    total, parts = loss(batch, outputs)
    assert set(parts) == {"accuracy", "hard", "triplet"}
    assert parts["accuracy"].item() == 0.75
    assert parts["hard"].item() == HardLabelLoss()(batch, outputs)[0].item()
    assert total.item() == pytest.approx(0.25 * parts["hard"].item() + 2 * parts["triplet"].item(), rel=1e-6)


def test_images_without_an_identity_are_left_out() -> None:
    labels = np.array([0, 0, -1, 1, 1, -1, 2, 2])
    features, embedding, logits = (RANDOM.normal(size=(8, numbers)) for numbers in (5, 5, 3))
    kept = labels >= 0
    terms = {"hard": (1.0, HardLabelLoss(0.1)), "triplet": (2.0, TripletLoss(0.3))}
    found, parts = WeightedLosses(terms)(batch_of(labels), outputs_of(features, embedding, logits))
    alone = [array[kept] for array in (features, embedding, logits)]
    expected, expected_parts = WeightedLosses(terms)(batch_of(labels[kept]), outputs_of(*alone))
    assert found.item() == pytest.approx(expected.item(), rel=1e-6)
    assert {name: part.item() for name, part in parts.items()} == pytest.approx(
        {name: part.item() for name, part in expected_parts.items()}
    )
