"""Plans of epochs: what every batch holds, what is covered, and what chance does."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resight.errors import DatasetError
from resight.training.augment import identity_batches, plan_epoch, random_colours, random_rectangles

LABELS = np.repeat(np.arange(6), [1, 2, 3, 4, 9, 17])  # people with fewer images than any K, and with many more


CHANGES = ("rows", "flips", "shifts", "erased", "colours", "detail")


def equal(one: object, other: object) -> bool:
    names = CHANGES
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in names)


@pytest.mark.parametrize(("images", "batch_size", "seed", "epoch"), [(14, 4, 3, 1), (100, 32, 0, 7), (3, 8, 5, 0)])
def test_a_plain_epoch_is_the_permutation_that_results_were_made_with(images: int, batch_size: int, seed: int, epoch: int) -> None:
    plan = plan_epoch(np.zeros(images, np.int64), batch_size, seed=seed, epoch=epoch)
    random = np.random.default_rng([seed, epoch])
    order = random.permutation(images)
    batch = min(batch_size, images)
    expected = [order[start : start + batch] for start in range(0, images - batch + 1, batch)]
    assert np.array_equal(plan.rows, expected)
    assert np.array_equal(plan.flips, random.random(plan.rows.shape) < 0.5)
    assert plan.shifts is None and plan.erased is None


def test_an_epoch_shows_every_image_at_most_once_and_depends_on_its_arguments_alone() -> None:
    labels = np.zeros(14, np.int64)
    plan = plan_epoch(labels, 4, seed=3, epoch=1)
    assert plan.rows.shape == plan.flips.shape == (3, 4) and len(plan) == 3
    assert len(np.unique(plan.rows)) == 12
    assert equal(plan, plan_epoch(labels, 4, seed=3, epoch=1))
    assert not np.array_equal(plan.rows, plan_epoch(labels, 4, seed=3, epoch=2).rows)
    assert not np.array_equal(plan.rows, plan_epoch(labels, 4, seed=4, epoch=1).rows)
    assert not plan_epoch(labels, 4, flip=False, seed=3, epoch=1).flips.any()
    assert np.array_equal(plan.rows, plan_epoch(labels, 4, flip=False, seed=3, epoch=1).rows)
    everything = {"size": (32, 16), "images_per_identity": 2, "pad": 3, "erase": 0.5, "colour": 0.3, "coarse": 0.5}
    plan, again, later = (plan_epoch(LABELS, 4, seed=3, epoch=epoch, **everything) for epoch in (1, 1, 2))  # type: ignore[arg-type]
    assert equal(plan, again)
    for name in CHANGES:
        assert not np.array_equal(getattr(plan, name), getattr(later, name))


def test_a_step_shows_its_part_of_the_plan() -> None:
    plan = plan_epoch(LABELS, 4, seed=3, epoch=1, size=(32, 16), images_per_identity=2, pad=3, erase=0.5, colour=0.3, coarse=0.5)
    view = plan[5]
    assert all(np.array_equal(getattr(view, name), getattr(plan, name)[5]) for name in CHANGES)
    bare = plan_epoch(LABELS, 4, seed=3, epoch=1)[5]
    assert all(getattr(bare, name) is None for name in CHANGES[2:])


def test_half_of_the_images_are_mirrored() -> None:
    flips = plan_epoch(np.zeros(4000, np.int64), 40, seed=0, epoch=0).flips
    assert 0.45 < flips.mean() < 0.55


@given(
    counts=st.lists(st.integers(1, 12), min_size=2, max_size=12),
    people=st.integers(2, 6),
    each=st.integers(1, 5),
    seed=st.integers(0, 99),
)
def test_every_batch_holds_p_people_with_k_images_each(counts: list[int], people: int, each: int, seed: int) -> None:
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)) * 3, counts))
    batch = people * each
    random = np.random.default_rng(seed)
    if people > len(counts):
        with pytest.raises(DatasetError, match=f"{people} people in a batch of {batch} with {each} images each; expected 2 to"):
            identity_batches(labels, batch, each, random)
        return
    rows = identity_batches(labels, batch, each, random)
    assert rows.shape == (len(labels) // batch, batch)
    for step in rows:
        shown, times = np.unique(labels[step], return_counts=True)
        assert len(shown) == people and set(times) == {each}
        for person in shown:
            own = step[labels[step] == person]
            # nobody is shown an image twice in a batch who has K of them, and everything of those who have fewer
            assert len(np.unique(own)) == min(each, np.count_nonzero(labels == person))


def test_images_are_covered_within_an_epoch_and_over_epochs() -> None:
    labels = np.repeat(np.arange(50), 8)
    rows = plan_epoch(labels, 16, seed=0, epoch=0, images_per_identity=4).rows
    shown = np.unique(rows)
    assert np.bincount(rows.ravel()).max() <= 2  # dealt anew at most once, near the end
    assert len(shown) > 0.9 * len(labels)
    uneven = [plan_epoch(LABELS, 4, seed=0, epoch=epoch, images_per_identity=2).rows for epoch in range(30)]
    assert set(np.unique(uneven)) == set(range(len(LABELS)))
    # in the long run a person is shown in proportion to the number of images, as in a plain epoch
    people = np.bincount(LABELS[np.concatenate(uneven).ravel()])
    assert people[5] > people[4] > people[2]


def test_labelled_images_that_fill_no_batch_are_named() -> None:
    labels = np.concatenate([np.repeat(np.arange(15), 3), np.full(500, -1)])
    with pytest.raises(DatasetError, match=r"45 labelled images do not fill the 48 places .* lower batch_size, or raise"):
        plan_epoch(labels, 64, seed=0, epoch=0, images_per_identity=4, unlabelled_share=0.25)


def test_people_that_fill_no_batch_are_named() -> None:
    with pytest.raises(DatasetError, match="1 people in a batch of 4 with 4 images each; expected 2 to 6"):
        plan_epoch(LABELS, 4, seed=0, epoch=0, images_per_identity=4)


def test_shifts_are_even_over_their_whole_range() -> None:
    shifts = plan_epoch(np.zeros(5000, np.int64), 50, seed=0, epoch=0, pad=2).shifts
    assert shifts is not None and shifts.shape == (100, 50, 2)
    for side in (0, 1):
        values, counts = np.unique(shifts[..., side], return_counts=True)
        assert values.tolist() == [-2, -1, 0, 1, 2]
        assert np.abs(counts / 5000 - 0.2).max() < 0.02


def test_rectangles_are_as_random_erasing_defines_them() -> None:
    height, width, images = 200, 100, 20000
    found = random_rectangles(images, (height, width), 0.6, np.random.default_rng(0))
    top, left, rows, columns = found[found[:, 2] > 0].T
    assert len(top) / images == pytest.approx(0.6, abs=0.02)
    assert (top >= 0).all() and (left >= 0).all()
    assert (top + rows <= height).all() and (left + columns <= width).all()
    # what does not touch both sides was not cut: area 2 to 40 % and ratio 0.3 to 3.3, but for rounding
    whole = (rows < height) & (columns < width)
    share, ratio = rows * columns / (height * width), rows / columns
    assert share.max() <= 0.41
    assert share[whole].min() >= 0.018 and ratio[whole].min() >= 0.28 and ratio[whole].max() <= 3.6
    # areas are uniform where nothing is cut: below width squared / 3.3 no rectangle can be too wide
    small = share[share < 0.15]
    assert np.quantile(small, 0.5) == pytest.approx((0.02 + 0.15) / 2, abs=0.004)
    # and ratios are uniform on a logarithmic scale: as many higher than wide as wider than high
    logs = np.log(ratio[share < 0.15])
    assert logs.mean() == pytest.approx((np.log(0.3) + np.log(3.3)) / 2, abs=0.03)
    assert logs.std() == pytest.approx(np.log(3.3 / 0.3) / np.sqrt(12), rel=0.03)
    # the place is uniform among those that fit
    place = top[whole] / (height - rows[whole])
    assert place.mean() == pytest.approx(0.5, abs=0.02) and place.min() == 0 and place.max() == 1


@pytest.mark.parametrize("each", [0, 2])
def test_images_without_an_identity_are_a_share_of_every_batch(each: int) -> None:
    labels = np.concatenate([np.full(5, -1), LABELS, np.full(7, -1)])  # wherever they stand
    rows = plan_epoch(labels, 8, seed=0, epoch=0, images_per_identity=each, unlabelled_share=0.25).rows
    assert rows.shape == (len(LABELS) // 6, 8)
    assert (labels[rows[:, :6]] >= 0).all() and (labels[rows[:, 6:]] < 0).all()
    if each:
        assert all(set(np.unique(labels[step], return_counts=True)[1]) == {each} for step in rows[:, :6])
    shown = np.unique(rows[:, 6:], return_counts=True)
    assert shown[0].tolist() == np.flatnonzero(labels < 0).tolist()[: len(shown[0])] or len(shown[0]) == 12
    assert shown[1].max() - shown[1].min() <= 1  # dealt evenly
    later = plan_epoch(labels, 8, seed=0, epoch=1, images_per_identity=each, unlabelled_share=0.25).rows
    assert not np.array_equal(rows[:, 6:], later[:, 6:])
    # the share is of no account where there are none
    plain = plan_epoch(LABELS, 8, seed=0, epoch=0, images_per_identity=each, unlabelled_share=0.25)
    assert equal(plain, plan_epoch(LABELS, 8, seed=0, epoch=0, images_per_identity=each))


def test_some_images_lose_detail_down_to_a_quarter() -> None:
    detail = plan_epoch(np.zeros(8000, np.int64), 40, seed=0, epoch=0, coarse=0.3).detail
    assert detail is not None and detail.shape == (200, 40)
    assert (detail < 1).mean() == pytest.approx(0.3, abs=0.02)
    logs = np.log2(detail[detail < 1])
    assert logs.min() >= -2 and logs.mean() == pytest.approx(-1, abs=0.03) and logs.std() == pytest.approx(2 / 12**0.5, rel=0.03)


def applied(colours: np.ndarray, colour: np.ndarray) -> np.ndarray:
    return np.asarray(colours[..., :3] @ colour + colours[..., 3], np.float64)


def test_colours_change_as_far_as_they_may() -> None:
    still = random_colours(3, 0.0, np.random.default_rng(0))
    np.testing.assert_allclose(still, np.tile(np.eye(3, 4), (3, 1, 1)), atol=1e-6)
    colours = random_colours(20000, 0.5, np.random.default_rng(0))
    black, white = applied(colours, np.zeros(3)), applied(colours, np.ones(3))
    gain = white - black  # contrast, brightness and channel
    most = 1.5 * 1.5 * 1.25
    assert 1 / most <= gain.min() < 1.5 / most and most / 1.5 < gain.max() <= most
    assert np.log(gain).mean() == pytest.approx(0, abs=0.01)
    uniform = np.log([1.5, 1.5, 1.25]) ** 2 / 3  # variances of uniform distributions
    assert np.log(gain).var() == pytest.approx(uniform.sum(), rel=0.03)
    assert np.log(gain).var(1).mean() * 3 / 2 == pytest.approx(uniform[2], rel=0.05)  # only channels differ within an image
    contrast = 1 - 2 * black / (gain / np.exp(np.log(gain).mean(1, keepdims=True)))  # of middle gray, but for the channels' mean
    assert np.log(contrast).std() == pytest.approx(np.log(1.5) / 3**0.5, rel=0.15)
    saturation = 1 - colours[:, 0, 2] / gain[:, 0] / 0.114  # blue in red, by its share of the luma
    assert saturation.min() >= 1 / 1.5 - 1e-3 and saturation.max() <= 1.5 + 1e-3
    assert np.log(saturation).mean() == pytest.approx(0, abs=0.01)
    assert np.log(saturation).var() == pytest.approx(uniform[0], rel=0.03)
    # turns about the gray axis leave gray alone and keep a colour's distance from it
    one, other = (random_colours(5, 0.0, np.random.default_rng(1), hue=hue) for hue in (0.0, 0.5))
    np.testing.assert_allclose(applied(other, np.full(3, 0.3)), 0.3, atol=1e-6)
    red = np.array([1.0, 0, 0])
    np.testing.assert_allclose(np.linalg.norm(applied(other, red) - 1 / 3, axis=1), np.linalg.norm(red - 1 / 3), rtol=1e-5)
    assert np.abs(applied(other, red) - applied(one, red)).max() > 0.3
