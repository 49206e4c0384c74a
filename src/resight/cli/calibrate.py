"""`resight calibrate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from resight.cli.options import Data, Device, Layout, ModelName, NamePattern, PlainDistance, SkipUnreadable, Threads, chosen
from resight.cli.terminal import check_writable, say, show, table, warn, write_result
from resight.cli.terminal import skip_unreadable as skip
from resight.progress import TerminalProgress

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from resight.datasets import Accounting, Dataset, Records
    from resight.decision.calibration import OperatingPoint
    from resight.decision.cohort import Cohort
    from resight.decision.confidence import Rate
    from resight.decision.open_set import LabelledSearches
    from resight.models.model import Model
    from resight.progress import Progress

__all__ = ["calibrate"]


def calibrate(
    *,
    data: Data,
    model: ModelName = "student",
    rate: float = 0.01,
    possible_rate: float = 0.1,
    promise: Literal["expected", "guaranteed"] = "expected",
    confidence: float = 0.95,
    cohort: str = "auto",
    part: Literal["test", "train", "all"] = "test",
    held_out: float = 0.0,
    seed: int = 0,
    distance: PlainDistance = "auto",
    layout: Layout = "auto",
    name_pattern: NamePattern = "",
    skip_unreadable: SkipUnreadable = False,
    out: Path = Path("calibration.json"),
    picture: Path | None = None,
    device: Device = "auto",
    threads: Threads = 0,
    json: Path | None = None,
) -> None:
    """Choose distances up to which a search answers "match" or "possible", for wanted rates of false answers.

    Parameters
    ----------
    data
        Folder of a data set, or a table, with people that the model was not trained on; can be given several times.
    rate
        Allowed rate of searches for an absent person that answer "match".
    possible_rate
        Allowed rate of these searches that answer "match" or "possible".
    promise
        Kind of promise: expected takes the rate that was measured, guaranteed its upper limit, which misses far more people.
    confidence
        Confidence of each limit.
    cohort
        Crops of strangers, without labels, that tell how common an appearance is: a folder, a table or a list. auto is the one
        that belongs to the shipped model, if there is one; none does without.
    part
        People to use: of the test (queries and gallery), of the training, or all.
    held_out
        Share of the people to leave out and to measure the thresholds on afterwards.
    seed
        Seed for the choice of people to leave out.
    distance
        Distance between vectors; auto is the model's own. It must be the gallery's.
    out
        File to write, for `resight gallery search --calibration`.
    picture
        Draw the error rates against the threshold into this PNG file.
    json
        Also write the calibration, and the rates measured on the people left out, to this file.
    """
    import numpy as np

    from resight.datasets import open_dataset
    from resight.decision.calibration import PROMISES, check_people, measure
    from resight.decision.calibration import calibrate as choose
    from resight.decision.open_set import search_everybody
    from resight.decision.picture import draw_errors
    from resight.errors import ConfigurationError
    from resight.gallery.settings import Settings
    from resight.models import load_model
    from resight.models.embedding import embed_files
    from resight.provenance import provenance

    if not 0 <= held_out < 1:
        raise ConfigurationError(f"--held-out is {held_out:g}; expected a share of the people, at least 0 and less than 1")
    check_writable(out, picture, json)
    if picture is not None:
        import matplotlib.figure  # noqa: F401 (missing, it is to be missed before the work)
    dataset = open_dataset(data, layout, name_pattern=name_pattern)
    extractor = load_model(model, device=device, threads=threads)
    used = Settings.for_model(model, extractor, retention=None, distance=chosen(distance)).distance
    warn(dataset.warnings)
    if part != "test":
        warn(("if the model was trained on these people, the thresholds will be too generous",))
    parts = {"test": ("query", "gallery"), "train": ("train",), "all": ("train", "query", "gallery")}[part]
    if skip_unreadable:
        with TerminalProgress() as progress:
            dataset = skip(dataset, *parts, progress=progress)
    records = _people(dataset, part)
    people = np.random.default_rng(seed).permutation(records.people())
    away = round(held_out * len(people))
    check_people(len(people) - away, rate, possible_rate, confidence, promise)
    left_out = np.isin(records.identities, people[:away])
    with TerminalProgress() as progress:
        strangers, read = _cohort(cohort, model, extractor, used, progress)
        vectors = embed_files(extractor, records.paths, progress=progress)

        def search(among: NDArray[np.bool_]) -> LabelledSearches:
            who, cameras = records.identities[among], records.cameras[among]
            return search_everybody(vectors[among], who, cameras, used, cohort=strangers, progress=progress)

        searches = search(~left_out)
        others = search(left_out) if left_out.any() else None
    configuration = {"model": model, "data": dataset.name, "part": part, "held_out": held_out}
    calibration = choose(
        searches,
        extractor,
        used,
        model=model,
        rate=rate,
        possible_rate=possible_rate,
        confidence=confidence,
        promise=promise,
        cohort=strangers,
        provenance=provenance(configuration, seed=seed),
    )
    points = {"match": calibration.match, "possible": calibration.possible}
    rows = [_row(f"{name}, {promise}", point) for name, point in points.items()]
    (other,) = set(PROMISES) - {promise}
    curve = searches.false_positives(confidence)
    find = curve.threshold_for if other == "guaranteed" else curve.expected_threshold
    rows += [_row(f"{name}, {other}", measure(searches, at.wanted, find(at.wanted), confidence)) for name, at in points.items()]
    checked = None
    if others is not None:
        checked = {name: measure(others, point.wanted, point.threshold, confidence) for name, point in points.items()}
        rows += [_row(f"{name}, on {others.people} other people", point) for name, point in checked.items()]
    calibration.save(out)
    headings = ["%", "up to distance", "wanted", "absent, falsely found", "limits", "present, missed", "limits"]
    show(table(f"{extractor.name}, {used} distance, fitted to {searches.people} people of {dataset.name}", headings, rows))
    share = "at most" if promise == "guaranteed" else "about"
    say(
        f"{promise}: of 100 searches for somebody who is not in a gallery of {searches.people - 1} people, {share} {100 * rate:g} "
        f"answer match and {100 * possible_rate:g} match or possible; in a gallery of k times as many people at most k times as "
        f"many do. {4 * searches.people} labelled people would halve the limits, which hold with {confidence:.0%} confidence each"
    )
    say(f"{out}: for `resight gallery search --calibration`")
    if calibration.match.misses is None:
        warn(("no person was seen by two cameras, so the rate of misses cannot be measured",))
    if picture is not None:
        draw_errors(picture, searches, calibration)
        say(f"picture: {picture}")
    check = None
    if others is not None and checked is not None:
        about = {"people": others.people, "images": len(others.persons)}
        check = about | {name: point.to_dict() for name, point in checked.items()}
    write_result(json, calibration.to_dict() | {"dataset": dataset.name, "check": check}, dataset.account(*parts) + read)


def _cohort(given: str, model: str, extractor: Model, distance: str, progress: Progress) -> tuple[Cohort | None, Accounting]:
    """The cohort that a user means, and the accounting of its files."""
    from resight.datasets import Accounting
    from resight.datasets.image_list import find_images
    from resight.decision.cohort import fit_cohort, shipped_cohort
    from resight.models.embedding import embed_files

    if given == "none":
        return None, Accounting()
    if given == "auto":
        return shipped_cohort(model) if distance == extractor.distance else None, Accounting()
    crops = find_images(given)
    warn(crops.notes)
    return fit_cohort(embed_files(extractor, crops.paths, progress=progress), distance), crops.accounting


def _people(dataset: Dataset, part: str) -> Records:
    """Return the images of people; the others are left out before the model sees them."""
    from resight.datasets.records import DISTRACTOR, Records

    test, train = [dataset.query, dataset.gallery], [dataset.train]
    records = Records.concatenate({"test": test, "train": train, "all": test + train}[part])
    return records.select(records.identities > DISTRACTOR)


def _row(name: str, point: OperatingPoint) -> list[str]:
    return [name, f"{point.threshold:.4g}", f"{100 * point.wanted:g}", *_cells(point.false_positives), *_cells(point.misses)]


def _cells(rate: Rate | None) -> list[str]:
    if rate is None:
        return ["", ""]
    return [f"{100 * rate.value:.2f}", f"{100 * rate.lower:.2f} to {100 * rate.upper:.2f}"]
