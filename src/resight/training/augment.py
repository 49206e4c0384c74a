"""The order of a training's images and their random changes, planned before each epoch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from resight.errors import DatasetError
from resight.networks.batches import View

__all__ = ["EpochPlan", "Random", "identity_batches", "image_batches", "plan_epoch", "random_colours", "random_rectangles"]

Random = np.random.Generator


@dataclass(frozen=True)
class EpochPlan:
    """Place of each image in one epoch, and its changes, so that a resumed run sees the same.

    Attributes
    ----------
    rows : int64 array of shape (steps, batch)
    flips : bool array of shape (steps, batch)
    shifts : int64 array of shape (steps, batch, 2), or None
    erased : int64 array of shape (steps, batch, 4), or None
    colours : float32 array of shape (steps, batch, 3, 4), or None
    detail : float64 array of shape (steps, batch), or None
        See `resight.networks.batches.View`.
    """

    rows: NDArray[np.int64]
    flips: NDArray[np.bool_]
    shifts: NDArray[np.int64] | None = None
    erased: NDArray[np.int64] | None = None
    colours: NDArray[np.float32] | None = None
    detail: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, step: int) -> View:
        changes = (self.shifts, self.erased, self.colours, self.detail)
        return View(self.rows[step], self.flips[step], *(None if change is None else change[step] for change in changes))


def plan_epoch(
    labels: NDArray[np.int64],
    batch_size: int,
    *,
    epoch: int,
    seed: int,
    size: tuple[int, int] = (0, 0),
    images_per_identity: int = 0,
    unlabelled_share: float = 0.0,
    flip: bool = True,
    pad: int = 0,
    erase: float = 0.0,
    colour: float = 0.0,
    coarse: float = 0.0,
) -> EpochPlan:
    """Plan one epoch; a function of its arguments alone.

    Parameters
    ----------
    labels : int64 array of shape (n,)
        Class of each training image; less than 0 for an image without an identity.
    batch_size : int
        Largest batch; with fewer images an epoch is one batch of all of them.
    epoch, seed : int
    size : tuple of (height, width)
        Size of the images in pixels; needed for `erase`.
    images_per_identity : int
        Images of each person in a batch, see `identity_batches`; 0 shuffles all images.
    unlabelled_share : float
        Share of each batch for images without an identity, which are its last rows. They come in random order, again and again,
        until the other images are used up. It does not count if no image has an identity.
    flip : bool
        Mirror each image with probability 1/2.
    pad : int
        Largest shift of an image in pixels, each way; see `resight.networks.batches.View`.
    erase : float
        Probability that an image loses a rectangle; see `random_rectangles`.
    colour : float
        Strength of the colour changes; see `random_colours`.
    coarse : float
        Probability that an image loses detail; between a quarter and all of its height and width is left.
    """
    random = np.random.default_rng([seed, epoch])
    if (labels < 0).all():  # nobody is known: all images are alike
        labels = np.zeros_like(labels)
    labelled, unlabelled = np.flatnonzero(labels >= 0), np.flatnonzero(labels < 0)
    batch_size = min(batch_size, len(labels))
    others = round(unlabelled_share * batch_size) if len(unlabelled) else 0
    if images_per_identity:
        rows = labelled[identity_batches(labels[labelled], batch_size - others, images_per_identity, random)]
    else:
        rows = labelled[image_batches(len(labelled), min(batch_size - others, len(labelled)), random)]
    if not len(rows):
        places = batch_size - others
        way_out = "lower batch_size" + (", or raise unlabelled_share" if others else "")
        raise DatasetError(f"{len(labelled)} labelled images do not fill the {places} places that a batch has for them; {way_out}")
    if others:
        wanted = len(rows) * others
        dealt = np.concatenate([random.permutation(unlabelled) for _ in range(-(-wanted // len(unlabelled)))])
        rows = np.concatenate([rows, dealt[:wanted].reshape(len(rows), others)], axis=1)
    flips = (random.random(rows.shape) < 0.5) & flip
    shifts = random.integers(-pad, pad, (*rows.shape, 2), endpoint=True) if pad else None
    erased = random_rectangles(rows.size, size, erase, random).reshape(*rows.shape, 4) if erase else None
    colours = random_colours(rows.size, colour, random).reshape(*rows.shape, 3, 4) if colour else None
    detail = np.where(random.random(rows.shape) < coarse, np.exp2(-2 * random.random(rows.shape)), 1.0) if coarse else None
    return EpochPlan(rows, flips, shifts, erased, colours, detail)


def image_batches(images: int, batch_size: int, random: Random) -> NDArray[np.int64]:
    """Every image at most once, in random order, without the remainder that fills no batch: (steps, batch_size)."""
    steps = images // batch_size
    return random.permutation(images)[: steps * batch_size].reshape(steps, batch_size)


def identity_batches(labels: NDArray[np.int64], batch_size: int, each: int, random: Random) -> NDArray[np.int64]:
    """Batches of P people with K images each, as a batch-hard triplet loss needs them ("PK sampling", Hermans et al., 2017).

    A person's images are dealt in random order, K at a time; with fewer than K, some are shown twice. People are drawn in
    proportion to their images that are left, and all are dealt again when fewer than P have images left.

    Parameters
    ----------
    labels : int64 array of shape (n,)
    batch_size : int
        P times K; a remainder that is less than K is left out.
    each : int
        K.
    random : numpy.random.Generator

    Returns
    -------
    int64 array of shape (n // batch_size, P * K)

    Raises
    ------
    DatasetError
        If there are fewer than P people, or if P is less than 2.

    References
    ----------
    .. [1] A. Hermans, L. Beyer, B. Leibe, "In Defense of the Triplet Loss for Person Re-Identification", arXiv:1703.07737, 2017.
    """
    people = batch_size // each
    of = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    if not 2 <= people <= len(of):
        raise DatasetError(f"{people} people in a batch of {batch_size} with {each} images each; expected 2 to {len(of)}")
    hands: list[list[NDArray[np.int64]]] = [[] for _ in of]
    steps = []
    for _ in range(len(labels) // batch_size):
        left = np.array([len(hand) for hand in hands])
        if np.count_nonzero(left) < people:
            hands = [_dealt(random.permutation(rows), each, random) for rows in of]
            left = np.array([len(hand) for hand in hands])
        drawn = random.choice(len(of), people, replace=False, p=left / left.sum())
        steps.append(np.concatenate([hands[person].pop() for person in drawn]))
    return np.array(steps, np.int64).reshape(len(steps), people * each)


def _dealt(rows: NDArray[np.int64], each: int, random: Random) -> list[NDArray[np.int64]]:
    if len(rows) < each:
        return [np.concatenate([rows, random.choice(rows, each - len(rows))])]
    return [rows[start : start + each] for start in range(0, len(rows) - each + 1, each)]


def random_rectangles(images: int, size: tuple[int, int], probability: float, random: Random) -> NDArray[np.int64]:
    """Rectangles to erase: 2 to 40 % of the image's area, between 0.3 and 3.3 times as high as wide (Zhong et al., 2020).

    Parameters
    ----------
    images : int
    size : tuple of (height, width)
    probability : float
        Share of the images that lose a rectangle.
    random : numpy.random.Generator

    Returns
    -------
    int64 array of shape (images, 4)
        Top, left, height, width; a height of 0 for images that stay whole. A rectangle that does not fit is cut to the image.

    References
    ----------
    .. [1] Z. Zhong, L. Zheng, G. Kang, S. Li, Y. Yang, "Random Erasing Data Augmentation", AAAI 2020. (There a rectangle that does
           not fit is drawn anew, ratios are uniform, and the rectangle is filled with noise.)
    """
    rows, columns = size
    area = random.uniform(0.02, 0.4, images) * rows * columns
    ratio = np.exp(random.uniform(np.log(0.3), np.log(3.3), images))
    height = np.minimum(np.rint(np.sqrt(area * ratio)), rows).astype(np.int64)
    width = np.minimum(np.rint(np.sqrt(area / ratio)), columns).astype(np.int64)
    top = (random.random(images) * (rows - height + 1)).astype(np.int64)
    left = (random.random(images) * (columns - width + 1)).astype(np.int64)
    height[random.random(images) >= probability] = 0
    return np.stack([top, left, height, width], axis=1)


_LUMA = np.array([0.299, 0.587, 0.114])


def random_colours(images: int, strength: float, random: Random, *, hue: float = 0.0) -> NDArray[np.float32]:
    """Changes of brightness, contrast, saturation and white balance, as between cameras and lights.

    All four are linear, so that they are one matrix and one offset for an image: brightness, contrast (about middle gray) and
    saturation (about the luma of ITU-R BT.601) are multiplied by factors between 1 / (1 + strength) and 1 + strength, and each
    channel by one between 1 / (1 + strength / 2) and 1 + strength / 2; all are uniform on a logarithmic scale.

    Parameters
    ----------
    images : int
    strength : float
        0 changes nothing.
    random : numpy.random.Generator
    hue : float
        Largest turn of the colours about the gray axis, as a share of the whole circle: 0.5 allows every hue.

    Returns
    -------
    float32 array of shape (images, 3, 4)
        See `resight.networks.batches.View`.
    """

    def factors(most: float, *shape: int) -> NDArray[np.float64]:
        drawn: NDArray[np.float64] = np.exp(random.uniform(-1, 1, (images, *shape)) * np.log1p(most))
        return drawn

    brightness, contrast, saturation = (factors(strength)[:, None, None] for _ in range(3))
    channels = factors(strength / 2, 3)
    saturate = saturation * np.eye(3) + (1 - saturation) * _LUMA
    matrix = contrast * brightness * channels[:, :, None] * (saturate @ _turned(random.uniform(-hue, hue, images)))
    offset = 0.5 * (1 - contrast) * channels[:, :, None]
    return np.concatenate([matrix, offset], axis=2).astype(np.float32)


def _turned(turns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rotations of RGB about the gray axis (Rodrigues' formula), one 3x3 matrix for each share of the whole circle."""
    angle = 2 * np.pi * turns[:, None, None]
    across = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / np.sqrt(3)
    turned: NDArray[np.float64] = np.cos(angle) * np.eye(3) + np.sin(angle) * across + (1 - np.cos(angle)) / 3
    return turned
