"""The classical side of the paper in one run: Table 1, Figure 7, and the times of section 5."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resight.datasets.records import JUNK, Dataset, Records
from resight.datasets.splits import by_identity
from resight.distances.fitted import fit_distance
from resight.distances.quadratic import QuadraticGallery
from resight.distances.xqda import XQDA
from resight.errors import ConfigurationError, StorageError
from resight.evaluation.protocol import evaluate
from resight.evaluation.scores import Scores
from resight.files import atomic_write, read_json, write_json
from resight.images import read_images
from resight.lomo.descriptor import RETINEX, lomo, warm_up
from resight.models.embedding import embed_files
from resight.models.lomo import LomoModel
from resight.progress import Progress, silent
from resight.provenance import provenance
from resight.studies.ruiz2019.report.pictures import draw_dimensions

__all__ = ["classical_study"]

_DIMENSIONS = 75  # XQDA in the paper's Table 1


def classical_study(
    dataset: Dataset, out: str | Path, *, held_out_seed: int = 0, seed: int = 0, progress: Progress = silent
) -> dict[str, Any]:
    """Evaluate LOMO with the Euclidean distance, KISSME and XQDA, with and without Retinex.

    XQDA's mAP on held-out training identities chooses the Retinex; query and gallery only give the final figures. Finished steps
    stay in `out` and are not repeated.

    Parameters
    ----------
    dataset : Dataset
        Data set with one split, such as Market-1501.
    out : str or Path
        Folder for descriptors, finished steps, ``classical.json`` and ``classical.png``.
    held_out_seed : int
        Seed of the choice of held-out identities.
    seed : int
        Seed of KISSME's random pairs.
    progress : Progress

    Returns
    -------
    dict
        Content of ``classical.json``; figures are per cent, times seconds.

    Raises
    ------
    ConfigurationError
        If the data set has several splits, or `out` holds steps of other images or seeds.
    StorageError
        If a finished step in `out` is damaged.
    ResightError
        Any error of reading, fitting and writing.
    """
    if len(dataset.splits) > 1:
        raise ConfigurationError(
            f"{dataset.name} is evaluated over {len(dataset.splits)} divisions, and this study has one; measure each distance with "
            "resight evaluate --model lomo --distance xqda"
        )
    out = Path(out)
    images = Records.concatenate([dataset.train, dataset.query, dataset.gallery]).digest()
    _refuse_another(out, {"dataset": dataset.name, "images": images, "held_out_seed": held_out_seed, "seed": seed})
    gallery = dataset.gallery.select(dataset.gallery.identities != JUNK)
    record: dict[str, Any] = {"dataset": dataset.name, "retinex": {}}
    warm_up()
    for retinex in RETINEX:
        features = _Features(dataset, gallery, LomoModel(retinex), out / "descriptors", progress)

        def held_out(features: _Features = features) -> dict[str, Any]:
            split = by_identity(dataset.train, seed=held_out_seed)
            rows = features.rows_of(split.train), features.rows_of(split.query), features.rows_of(split.gallery)
            model = XQDA().fit(features.train[rows[0]], split.train.identities, split.train.cameras, progress=progress)
            sides = model.transform(features.train[rows[1]]), model.transform(features.train[rows[2]])
            return {"dimensions": model.dimensions_} | _short(_scores(*sides, model, split.query, split.gallery))

        def test(features: _Features = features) -> dict[str, Any]:
            return _test_figures(dataset.train, dataset.query, gallery, features, seed, progress)

        record["retinex"][retinex] = {
            "held_out": _once(out / f"{retinex}-held-out.json", held_out),
            "test": _once(out / f"{retinex}-test.json", test),
        }
    record["chosen"] = max(RETINEX, key=lambda retinex: record["retinex"][retinex]["held_out"]["map"])
    record["timing"] = _once(out / "timing.json", lambda: _descriptor_times(dataset.train.paths[:512]))
    record["provenance"] = provenance({"held_out_seed": held_out_seed, "seed": seed}, seed=seed)
    write_json(out / "classical.json", record)
    with atomic_write(out / "classical.png") as stream:
        stream.write(draw_dimensions(record["retinex"][record["chosen"]]["test"]["by_dimension"]))
    return record


def _refuse_another(out: Path, study: dict[str, Any]) -> None:
    """Refuse a folder with finished steps of other images or seeds."""
    begun = _once(out / "study.json", lambda: study)
    if others := [name for name, value in study.items() if begun.get(name) != value]:
        raise ConfigurationError(f"{out} holds a study with other {' and '.join(others)}; choose another --out")


class _Features:
    """LOMO descriptors of all images of the study, kept on disk."""

    def __init__(self, dataset: Dataset, gallery: Records, extractor: LomoModel, folder: Path, progress: Progress) -> None:
        self._place = {path: row for row, path in enumerate(dataset.train.paths)}

        def load(part: str, records: Records) -> NDArray[np.float32]:
            file = folder / f"{extractor.retinex}-{part}.npy"
            if not file.exists():
                vectors = embed_files(extractor, records.paths, progress=progress)
                with atomic_write(file) as stream:
                    np.save(stream, vectors)
            return _read(file, partial(np.load, mmap_mode="r"))  # type: ignore[no-any-return]

        self.train, self.query, self.gallery = (
            load(part, records) for part, records in (("train", dataset.train), ("query", dataset.query), ("gallery", gallery))
        )

    def rows_of(self, records: Records) -> NDArray[np.int64]:
        """Rows of `train` that hold the images of `records`."""
        return np.array([self._place[path] for path in records.paths])


def _test_figures(
    train: Records, query: Records, gallery: Records, features: _Features, seed: int, progress: Progress
) -> dict[str, Any]:
    figures: dict[str, Any] = {"euclidean": _short(evaluate(features.query, features.gallery, query, gallery))}

    kissme = fit_distance("kissme", features.train, train.identities, train.cameras, seed=seed, progress=progress)
    sides = kissme.transform(features.query), kissme.transform(features.gallery)
    figures["kissme"] = _short(evaluate(*sides, query, gallery, kissme.compare)) | {"dimensions": kissme.dimensions}

    started = time.perf_counter()
    xqda = XQDA().fit(np.asarray(features.train), train.identities, train.cameras, progress=progress)
    fit_seconds = time.perf_counter() - started
    queries, answers = xqda.transform(features.query), xqda.transform(features.gallery)
    curve = []
    most = min(_DIMENSIONS, xqda.dimensions_)
    for k in [*range(25, most, 5), most]:
        curve.append({"dimensions": k} | _short(_scores(queries[:, :k], answers[:, :k], xqda.truncated(k), query, gallery)))
    figures["xqda"] = dict(curve[-1])
    figures["by_dimension"] = curve
    best = xqda.truncated(curve[-1]["dimensions"])
    prepared = best.prepare(features.gallery)
    one = features.query[:1]
    figures["seconds"] = {
        "xqda_fit": fit_seconds,
        "one_query_with_projection": _median_seconds(lambda: prepared.distances(best.transform(one)), 50),
        "each_query_in_one_product": _median_seconds(lambda: prepared.distances(queries[:, : best.dimensions_]), 5) / len(query),
        "gallery_images": len(gallery),
    }
    return figures


def _scores(queries: NDArray[Any], answers: NDArray[Any], model: XQDA, query: Records, gallery: Records) -> Scores:
    """Scores of vectors that `model` has projected."""

    def compare(u: NDArray[Any], v: NDArray[Any]) -> NDArray[Any]:
        return QuadraticGallery(v, model.M_).distances(u)

    return evaluate(queries, answers, query, gallery, compare)


def _short(scores: Scores) -> dict[str, float]:
    return {"rank1": 100 * scores.rank1, "map": 100 * scores.map}


def _descriptor_times(paths: Sequence[str]) -> dict[str, float]:
    """Milliseconds for the descriptor of one decoded image in memory, without compilation."""
    images = read_images(paths, (128, 64))
    times = {}
    for retinex in RETINEX:
        for workers in (1, 2):
            seconds = _median_seconds(partial(lomo, images, retinex, workers=workers), 5)
            times[f"{retinex}_{workers}_workers_ms"] = 1000 * seconds / len(images)
    return times


def _median_seconds(work: Callable[[], Any], rounds: int) -> float:
    work()
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return float(np.median(times))


def _once(file: Path, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Do a step and keep its result, or read the result if it was done before."""
    if not file.exists():
        write_json(file, work())
    found: dict[str, Any] = _read(file, read_json)
    return found


def _read(file: Path, how: Callable[[Path], Any]) -> Any:
    try:
        return how(file)
    except (OSError, ValueError) as error:
        raise StorageError(f"{file} is damaged ({error}); delete it and run again") from error
