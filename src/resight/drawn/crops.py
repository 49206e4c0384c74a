"""A small camera network of drawn people, in Market-1501's layout. It holds no image of a real person.

Colour alone does not tell people apart. Everybody wears one of a few palettes (`looks`); patterns, cut, build, hair, bags and walk
differ (`clothes`, `pedestrians`). Cameras differ in street, side, white balance and sharpness, and the light changes from image to
image (`scenes`). Boxes are cut badly, and things stand in the way.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from math import pi
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from resight.datasets import market1501
from resight.datasets.drawn import MARKER, drawn_files, load, read_marker
from resight.datasets.records import DISTRACTOR, JUNK, Dataset
from resight.drawn import looks, pedestrians, scenes, streets
from resight.errors import DatasetError, StorageError
from resight.files import write_json
from resight.progress import Progress, silent

__all__ = ["Network", "generate"]

_VERSION = 2  # version of the drawing; a folder of another version is drawn anew


@dataclass(frozen=True, kw_only=True)
class Network:
    """Description of what is drawn: the arguments of `generate`."""

    identities_train: int
    identities_test: int
    cameras: int
    images_per_camera: int
    size: tuple[int, int]
    seed: int

    def __post_init__(self) -> None:
        for name, value, least, most in (
            ("identities_train", self.identities_train, 1, 5000),
            ("identities_test", self.identities_test, 1, 5000),
            ("cameras", self.cameras, 2, 6),
            ("images_per_camera", self.images_per_camera, 2, 99),
            ("height", self.size[0], 32, 512),
            ("width", self.size[1], 16, 512),
            ("seed", self.seed, 0, 2**63 - 1),
        ):
            if not least <= value <= most:
                raise DatasetError(f"drawn network: {name} is {value}; expected {least} to {most}")


@dataclass(frozen=True)
class _Image:
    """One image to draw."""

    name: str  # folder/file
    identity: int
    camera: int  # from 0
    number: int  # of this person's images by this camera


def generate(
    root: str | Path,
    *,
    identities_train: int = 120,
    identities_test: int = 80,
    cameras: int = 5,
    images_per_camera: int = 4,
    size: tuple[int, int] = (128, 64),
    seed: int = 0,
    progress: Progress = silent,
) -> Dataset:
    """Draw a data set, or reuse the folder if it holds the same one already.

    Parameters
    ----------
    root : str or Path
        Folder for `bounding_box_train`, `query` and `bounding_box_test`; made if missing.
    identities_train, identities_test : int
        People to train on, and others to test.
    cameras : int
        2 to 6; each person is seen by all of them or by up to two fewer, but by two at least.
    images_per_camera : int
        Images of one person by one camera, at least 2: of test people one is a query.
    size : tuple of (height, width)
        In pixels.
    seed : int
        The same seed and sizes give the same files, byte for byte (with the same release of OpenCV).
    progress : Progress

    Returns
    -------
    Dataset
        Named ``"drawn"``, with some junk (-1) and distractors (0) in the gallery.

    Raises
    ------
    DatasetError
        If a count is out of range, or if the folder holds images that were not drawn here: nothing is overwritten then.
    StorageError
        If a file cannot be written.
    """
    root = Path(root)
    network = Network(
        identities_train=identities_train,
        identities_test=identities_test,
        cameras=cameras,
        images_per_camera=images_per_camera,
        size=(int(size[0]), int(size[1])),
        seed=seed,
    )
    plan = list(_plan(network))
    marker = {"version": _VERSION, "images": len(plan), **asdict(network), "size": list(network.size)}
    if read_marker(root) == marker and len(drawn_files(root)) == len(plan):
        return load(root)
    try:
        _clear(root, {image.name for image in plan})
        artist = _Artist(network)
        for done, image in enumerate(plan, 1):
            (root / image.name).write_bytes(artist.draw(image))
            if done % 64 == 0 or done == len(plan):
                progress("drawing", done, len(plan))
    except OSError as error:
        raise StorageError(f"cannot write into {root}: {error.strerror or error}; free space or choose another folder") from error
    write_json(root / MARKER, marker)
    return load(root)


def _clear(root: Path, names: set[str]) -> None:
    """Make the folders and take away what an earlier drawing left; never somebody's own images."""
    foreign = drawn_files(root) - names
    if foreign and read_marker(root) is None:
        raise DatasetError(
            f"{root} holds {len(foreign)} images that were not drawn here, such as {min(foreign)}; choose an empty folder"
        )
    for name in foreign:
        (root / name).unlink()
    (root / MARKER).unlink(missing_ok=True)
    for folder in market1501.FOLDERS:
        (root / folder).mkdir(parents=True, exist_ok=True)


def _plan(network: Network) -> Iterator[_Image]:
    """Every image with its name, in the order in which they are drawn."""
    train, query, gallery = market1501.FOLDERS
    people = network.identities_train + network.identities_test

    def name(folder: str, identity: int, camera: int, frame: int, number: int) -> str:
        return f"{folder}/{identity:0{2 if identity < 0 else 4}d}_c{camera + 1}s1_{frame:06d}_{number:02d}.jpg"

    for identity in range(1, people + 1):
        rng = np.random.default_rng([network.seed, 1, identity])
        seen = int(rng.integers(max(2, network.cameras - 2), network.cameras + 1))
        for camera in sorted(rng.choice(network.cameras, seen, replace=False).tolist()):
            for number in range(network.images_per_camera):
                part = train if identity <= network.identities_train else gallery if number else query
                yield _Image(name(part, identity, camera, identity * 25 + number, number), identity, camera, number)
    # Market-1501's gallery has a fifth of junk and a seventh of distractors.
    answers = network.identities_test * network.cameras * (network.images_per_camera - 1)
    for frame in range(answers // 8):
        yield _Image(name(gallery, JUNK, frame % network.cameras, frame, 0), JUNK, frame % network.cameras, frame)
    for frame in range(answers // 8):
        yield _Image(name(gallery, DISTRACTOR, frame % network.cameras, frame, 0), DISTRACTOR, frame % network.cameras, frame)


class _Artist:
    """Draws the images of one network; holds its cameras, and the people drawn so far."""

    def __init__(self, network: Network) -> None:
        self.network = network
        rng = np.random.default_rng([network.seed, 2])
        self.cameras = [scenes.place_camera(rng, number, network.size) for number in range(network.cameras)]
        self.looks: dict[int, looks.Look] = {}

    def look(self, identity: int) -> looks.Look:
        """Look of a person, by number. The numbers of strangers come after those of people."""
        if identity not in self.looks:
            self.looks[identity] = looks.draw_look(np.random.default_rng([self.network.seed, 3, identity]))
        return self.looks[identity]

    def draw(self, image: _Image) -> bytes:
        """One image as a JPEG file. It depends on the seed, who, which camera and which number, not on what was drawn before."""
        rng = np.random.default_rng([self.network.seed, 4, image.identity - JUNK, image.camera, image.number])
        camera = self.cameras[image.camera]
        size = self.network.size
        canvas = scenes.view_of_scene(camera, rng, size)
        for _ in range(int(rng.choice(3, p=[0.5, 0.35, 0.15]))):  # passers-by
            smaller = float(rng.uniform(0.6, 0.85))
            self.figure(canvas, int(rng.integers(10**6, 2 * 10**6)), rng, camera, rng.uniform(-pi, pi), 0.4, smaller)
        people = self.network.identities_train + self.network.identities_test
        if image.identity > 0:
            # On its way past one camera a person keeps a direction, and is seen from about the same side.
            way = np.random.default_rng([self.network.seed, 5, image.identity, image.camera])
            self.figure(canvas, image.identity, rng, camera, camera.view + way.normal(0, 0.55) + rng.normal(0, 0.2))
        elif image.identity == JUNK:  # a box that misses a person of the test
            who = int(rng.integers(self.network.identities_train, people)) + 1
            self.figure(canvas, who, rng, camera, camera.view, aside=0.5, smaller=float(rng.uniform(0.6, 1.6)))
        elif rng.random() < 0.7:  # a stranger; otherwise the street alone
            self.figure(canvas, 10**6 + image.number, rng, camera, camera.view + rng.normal(0, 0.6))
        if rng.random() < 0.15:
            streets.occlude(canvas, rng)
        pixels = scenes.Exposure(camera, rng, size).take(canvas, rng)
        options = [cv2.IMWRITE_JPEG_QUALITY, camera.quality]
        return cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), options)[1].tobytes()

    def figure(
        self,
        canvas: NDArray[np.uint8],
        identity: int,
        rng: np.random.Generator,
        camera: scenes.Camera,
        view: float,
        aside: float = 0.0,
        smaller: float = 1.0,
    ) -> None:
        """Draw one person about the middle of the canvas, or `aside` by that part of its width."""
        height, width = canvas.shape[:2]
        pose = pedestrians.Pose(view=view, phase=rng.uniform(0, 2 * pi), light=camera.light)
        tall = min(height, 2.4 * width) * rng.uniform(0.66, 0.98) * smaller
        x = width * (0.5 + rng.normal(0, 0.07) + aside * rng.choice([-1, 1]) * rng.uniform(0.7, 1.0))
        y = height * (0.5 + rng.normal(0, 0.04)) + 0.5 * tall
        shadow = (int(x), int(y - 0.012 * tall)), (max(int(0.16 * tall), 1), max(int(0.022 * tall), 1))
        cv2.ellipse(canvas, *shadow, 0, 0, 360, (46, 46, 48), -1, cv2.LINE_AA)
        pedestrians.draw(canvas, self.look(identity), pose, (float(x), float(y)), float(tall))
