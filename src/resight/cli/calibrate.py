"""`resight calibrate`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from resight.cli.calibrate_unlabelled import calibrate_gallery
from resight.cli.options import Device, Layout, ModelName, NamePattern, PlainDistance, SkipUnreadable, Threads, chosen
from resight.cli.terminal import check_writable, say, show, shown, table, warn, write_result
from resight.cli.terminal import skip_unreadable as skip
from resight.progress import TerminalProgress

if TYPE_CHECKING:
    from resight.datasets import Accounting, Dataset, Records
    from resight.decision.calibration import Calibration, OperatingPoint
    from resight.decision.cohort import Cohort
    from resight.decision.confidence import Rate
    from resight.decision.links import LinkPoint
    from resight.decision.open_set import LabelledSearches
    from resight.models.model import Model, Vectors
    from resight.progress import Progress

__all__ = ["calibrate", "cohort_of"]

_OF_FILES = ("auto", "image", "auto", "", False)  # defaults of what a gallery's crops do not need


def calibrate(
    *,
    data: Annotated[list[Path] | None, Parameter(negative=())] = None,
    unlabelled: str = "",
    model: ModelName = "student",
    rate: float = 0.01,
    possible_rate: float = 0.1,
    promise: Literal["expected", "guaranteed"] = "expected",
    confidence: float = 0.95,
    cohort: str = "auto",
    sightings: Literal["image", "tracklet"] = "image",
    part: Literal["test", "train", "all"] = "test",
    held_out: float = 0.0,
    seed: int = 0,
    distance: Annotated[
        PlainDistance,
        Parameter(help="Distance between vectors, which must be the gallery's: euclidean or cosine; auto is the model's own."),
    ] = "auto",
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

    A question of one image and one of several images of a tracklet get distances of their own.

    Parameters
    ----------
    data
        Folder of a data set, or a table, with people that the model was not trained on.
        Given several times, the sets are taken together.
    unlabelled
        Instead of --data, without labels: a gallery that `resight watch` filled, or a table or folder of crops by two cameras or
        more. The rate of false answers is then predicted, and who is missed stays unknown. A gallery has its own model, distance
        and kind of sightings.
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
    sightings
        Sightings of the gallery that will be searched: image if it keeps crops one by one, as `resight gallery add` does;
        tracklet if it keeps one vector for each tracklet, as `resight watch` does.
    part
        People to use: of the test (queries and gallery), of the training, or all.
    held_out
        Share of the people to leave out. Afterwards the rates are measured on them, at the distances that a search in a gallery of
        that many people uses.
    seed
        Seed for the choice of people to leave out.
    out
        File to write, for `resight gallery search --calibration`.
    picture
        Draw the error rates against the threshold into this PNG file.
    json
        Also write the calibration, and the rates measured on the people left out, to this file.
    """
    import numpy as np

    from resight.datasets import open_dataset
    from resight.decision.calibrate import calibrate as choose
    from resight.decision.calibrate import check_people
    from resight.decision.people_distances import FEWEST_PEOPLE
    from resight.decision.picture import draw_errors
    from resight.errors import ConfigurationError
    from resight.gallery.kept import is_gallery
    from resight.gallery.settings import Settings
    from resight.models import load_model
    from resight.models.embedding import embed_files
    from resight.provenance import provenance

    if not 0 <= held_out < 1:
        raise ConfigurationError(f"--held-out is {held_out:g}; expected a share of the people, at least 0 and less than 1")
    check_writable(out, picture, json)
    if bool(data) == bool(unlabelled):
        raise ConfigurationError("name people with labels by --data, or a gallery or table without any by --unlabelled")
    if not data:
        if (promise, confidence, part, held_out, seed, picture) != ("expected", 0.95, "test", 0.0, 0, None):
            take = "--promise, --confidence, --part, --held-out, --seed and --picture"
            raise ConfigurationError(f"{take} are for people with labels; leave them out, or give --data")
        if is_gallery(unlabelled) and (distance, sightings, layout, name_pattern, skip_unreadable) != _OF_FILES:
            take = "--distance, --sightings, --layout, --name-pattern and --skip-unreadable"
            raise ConfigurationError(f"{shown(unlabelled)} is a gallery, which has its own; leave out {take}")
        calibrate_gallery(
            unlabelled,
            model=model,
            cohort=cohort,
            distance=chosen(distance),
            sightings=sightings,
            files={"layout": layout, "name_pattern": name_pattern, "skip_unreadable": skip_unreadable},
            machine={"device": device, "threads": threads},
            rate=rate,
            possible_rate=possible_rate,
            out=out,
            json=json,
        )
        return
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
    if held_out and away < FEWEST_PEOPLE:
        raise ConfigurationError(
            f"--held-out {held_out:g} leaves out {away} of {len(people)} people; expected at least {FEWEST_PEOPLE}"
        )
    check_people(len(people) - away, rate, possible_rate, confidence, promise)
    left_out = np.isin(records.identities, people[:away])
    with TerminalProgress() as progress:
        strangers, read = cohort_of(cohort, model, extractor, used, progress)
        vectors = embed_files(extractor, records.paths, progress=progress)
        how: dict[str, Any] = {"sightings": sightings, "distance": used, "cohort": strangers, "progress": progress}
        searches = _searches(records.select(~left_out), vectors[~left_out], **how)
        joined = _joined(records.select(~left_out), vectors[~left_out]) if used == "cosine" else None
        others = _searches(records.select(left_out), vectors[left_out], **how) if left_out.any() else {}
    configuration = {"model": model, "data": dataset.name, "part": part, "held_out": held_out, "sightings": sightings}
    calibration = choose(
        searches["image"],
        extractor,
        used,
        model=model,
        rate=rate,
        possible_rate=possible_rate,
        confidence=confidence,
        promise=promise,
        cohort=strangers,
        provenance=provenance(configuration, seed=seed),
        tracklets=searches.get("tracklet"),
        sightings=sightings,
        joined=joined,
    )
    calibration.save(out)
    title = f"{extractor.name}, {used} distance, fitted to {calibration.people} people of {dataset.name}"
    checked = _show(calibration, others, title)
    say(f"{out}: for `resight gallery search --calibration`")
    if calibration.match.misses is None:
        warn(("no person was seen by two cameras, so the rate of misses cannot be measured",))
    if calibration.tracklets is None:
        warn(("nobody has two images by one camera, so a question of several images has no thresholds of its own",))
    if picture is not None:
        draw_errors(picture, searches["image"], calibration)
        say(f"picture: {picture}")
    files = dataset.account(*parts, first=True) + read
    write_result(json, calibration.to_dict() | {"dataset": dataset.name, "check": checked}, files)


def _searches(
    records: Records, vectors: Vectors, *, sightings: str, distance: str, cohort: Cohort | None, progress: Progress
) -> dict[str, LabelledSearches]:
    """Searches by images, and by tracklets if somebody has one of several images."""
    from resight.decision.people_distances import people_distances
    from resight.decision.tracklets import fuse_tracklets

    fused = fuse_tracklets(vectors, records.identities, records.cameras, records.tracklets)
    sides = {"image": (vectors, records.identities, records.cameras), "tracklet": fused[:3]}
    gallery = sides[sightings]
    if not (fused.crops > 1).any():
        sides.pop("tracklet")
    how: dict[str, Any] = {"cohort": cohort, "progress": progress}
    return {asks: people_distances(*side, *gallery, distance, **how).among() for asks, side in sides.items()}


def _joined(records: Records, vectors: Vectors) -> LinkPoint | None:
    """Distance up to which tracklets of several cameras are one person's."""
    from resight.decision.links import fit_links
    from resight.decision.tracklets import fuse_tracklets

    return fit_links(fuse_tracklets(vectors, records.identities, records.cameras, records.tracklets))


def _show(calibration: Calibration, others: dict[str, LabelledSearches], title: str) -> dict[str, Any] | None:
    """Show what was promised and what it costs; return what others show, if some were left out."""
    from resight.decision.calibrate import least_people
    from resight.decision.calibration import MATCH, POSSIBLE, PROMISES

    promise, confidence = calibration.promise, calibration.confidence
    (other,) = set(PROMISES) - {promise}
    rows: list[list[str]] = []
    checked: dict[str, Any] | None = {} if others else None
    for one in filter(None, (calibration, calibration.tracklets)):
        points = {MATCH: one.match, POSSIBLE: one.possible}
        rows += [_row(f"{name} for one {one.asks}, {promise}", point) for name, point in points.items()]
        if one.instead is not None:
            rows += [_row(f"{name} for one {one.asks}, {other}", point) for name, point in zip(points, one.instead, strict=True)]
        if checked is not None and one.asks in others:
            by = others[one.asks]
            found = dict(zip(points, one.measured_on(by), strict=True))
            rows += [_row(f"{name} for one {one.asks}, on {by.people} other people", point) for name, point in found.items()]
            about = {"people": by.people, "images": len(by.persons)} | {name: point.to_dict() for name, point in found.items()}
            checked |= about if one is calibration else {"tracklets": about}
    headings = ["%", "up to distance", "wanted", "absent, falsely found", "limits", "present, missed", "limits"]
    show(table(title, headings, rows))
    share = "at most" if promise == "guaranteed" else "about"
    match, possible = (f"{100 * point.wanted:g}" for point in (calibration.match, calibration.possible))
    say(
        f"{promise}: of 100 searches for somebody who is not in a gallery of {calibration.people - 1} people, {share} {match} "
        f"answer match and {possible} match or possible; in a gallery of more people, the distances are adjusted"
    )
    say(
        f"limits: between them lie the rates of as many other people, with {confidence:.0%} confidence; "
        f"{calibration.match.people_to_halve} labelled people would halve those of match"
    )
    if others:
        say(
            f"on other people: the distances are those of a search in a gallery of {others['image'].enrolled} people, "
            "because the rate depends on their number"
        )
    if calibration.instead is None and other == "guaranteed":
        say(f"guaranteed: {match} % takes {least_people(calibration.match.wanted, confidence)} people")
    if (joined := calibration.joined) is not None:
        say(
            f"joined across cameras, among 100 people: tracklets up to {joined.among(100):.2f}, with each camera's mean taken off; "
            f"{100 * joined.own_among(100):.0f} % of the pairs of one person are"
        )
    return checked


def cohort_of(given: str, model: str, extractor: Model, distance: str, progress: Progress) -> tuple[Cohort | None, Accounting]:
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
    vectors = embed_files(extractor, crops.paths, progress=progress)
    return fit_cohort(vectors, distance, model_sha256=extractor.sha256), crops.accounting


def _people(dataset: Dataset, part: str) -> Records:
    """Return the images of people; the others are left out before the model sees them."""
    import numpy as np

    from resight.datasets.records import ALONE, DISTRACTOR, UNKNOWN, Records

    test, train = [dataset.query, dataset.gallery], [dataset.train]
    records = Records.concatenate({"test": test, "train": train, "all": test + train}[part])
    records = records.select(records.identities > DISTRACTOR)
    # Where there is one camera, its queries have a mark instead of it and would pass for another one's.
    alone = np.isin(records.identities, dataset.query.identities[dataset.query.cameras == ALONE])
    return replace(records, cameras=np.where(alone, UNKNOWN, records.cameras))


def _row(name: str, point: OperatingPoint) -> list[str]:
    return [name, f"{point.threshold:.4g}", f"{100 * point.wanted:g}", *_cells(point.false_positives), *_cells(point.misses)]


def _cells(rate: Rate | None) -> list[str]:
    if rate is None:
        return ["", ""]
    return [f"{100 * rate.value:.2f}", f"{100 * rate.lower:.2f} to {100 * rate.upper:.2f}"]
