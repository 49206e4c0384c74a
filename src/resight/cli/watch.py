"""`resight watch`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from resight.cli.options import Device, Names, WatchThreads, by_camera
from resight.cli.terminal import check_writable, say, shown, warn, write_result

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from resight.cameras.events import Event
    from resight.cameras.mot import MotRows
    from resight.cameras.mot_writer import MotWriter
    from resight.cameras.sources import Source
    from resight.cameras.watching import Watch

__all__ = ["watch"]

_BACKLOG = 1000.0  # MB
_PATIENCE, _SHORT = 60.0, 5.0  # seconds without a delivery to a gallery that is away, at the end and after Ctrl-C


def watch(
    *cameras: str,
    plan: Annotated[Path | None, Parameter(name="--cameras")] = None,
    gallery: str = "",
    token: Path | None = None,
    backlog: Path | None = None,
    max_backlog: Annotated[float, Parameter(validator=Number(gt=0))] = _BACKLOG,
    calibration: Path | None = None,
    detector: str = "motion",
    confidence: float = 0.1,
    every: Annotated[int, Parameter(validator=Number(gte=1))] = 1,
    out: str = "",
    mot: Path | None = None,
    score: Names = None,
    video: Path | None = None,
    blur: bool = False,
    start: Names = None,
    rate: float = 0,
    model: str = "",
    device: Device = "auto",
    threads: WatchThreads = 0,
    json: Path | None = None,
) -> None:
    """Watch cameras: find people, follow them, and keep a tracklet of each in a gallery.

    Prints a line of JSON when somebody appeared or left. After an interruption, give the command again: files are watched from
    their beginning, and nothing is added twice. Streams are watched until Ctrl-C.

    Parameters
    ----------
    cameras
        NAME=SOURCE of each camera. SOURCE is a video file, a folder of frames, an address such as rtsp://USER:PASSWORD@HOST/PATH,
        or webcam:0.
    plan
        TOML file that names cameras, their sources, overlaps and travel times. Without NAME=SOURCE, its sources are watched.
    gallery
        Gallery that gets the tracklets: a folder, a database, or https://HOST of a service. What a database or service cannot
        take now waits on disk; with --calibration, which must be able to ask it, a database that is away ends the command.
    token
        File with the token of the service, of the role operator; by default, the token is read from RESIGHT_TOKEN.
    backlog
        Folder for tracklets that wait; one for each address, in ~/.local/state, by default.
    max_backlog
        Largest size of the backlog, in MB. If it is full, films wait, and live cameras lose their oldest tracklets.
    calibration
        File from `resight calibrate`: the gallery's tracklets are joined into people across cameras, who get provisional names.
    detector
        motion, for cameras that stand still; yolox:FILE, or yolox:nano, yolox:tiny and yolox:s, which are downloaded once;
        omz, or omz:FILE.xml, of Intel's Open Model Zoo; or boxes:FILE, or boxes:- for standard input, from another program.
    confidence
        Smallest confidence of a box.
    every
        Look at every N-th frame only.
    out
        Append the events to this file, instead of printing them; or send them to a topic of an MQTT broker,
        mqtt://USER@HOST:PORT/TOPIC, or mqtts:// with TLS. The password is read from RESIGHT_MQTT_PASSWORD.
    mot
        Folder for the tracks as MOT text, NAME.txt for each camera. Short gaps are filled.
    score
        Ground truth as MOT text, or NAME=FILE with several cameras: prints HOTA, IDF1 and MOTA.
    video
        Write the frames with boxes and numbers to this MP4; with several cameras, one each.
    blur
        Make people in the video unrecognisable.
    start
        Time of a file's first frame, or NAME=TIME with several cameras; ISO 8601, UTC unless it has a zone.
    rate
        Frames per second of folders that do not give it.
    model
        Model that makes the vectors; by default the gallery's own, or student if there is no gallery.
    json
        Also write what happened to each camera to this file.
    """
    import contextlib
    import tempfile

    from resight.cameras.annotated import VideoWriter
    from resight.cameras.detectors import load_detector
    from resight.cameras.events import is_broker, open_log
    from resight.cameras.mot import read_mot
    from resight.cameras.mot_writer import MotWriter
    from resight.cameras.plan import read_plan
    from resight.cameras.sources import named_source, open_sources
    from resight.cameras.watching import Watch
    from resight.cli.gallery import model_of
    from resight.compute import usable_cores
    from resight.configuration import nearest_name
    from resight.datasets.accounting import Accounting
    from resight.datasets.names import camera_name
    from resight.decision.calibration import TRACKLET, Calibration
    from resight.errors import ConfigurationError, GalleryAwayError, VideoError
    from resight.gallery import Gallery, parse_time
    from resight.gallery.keeping import Keeper
    from resight.gallery.people import People
    from resight.gallery.remote import is_remote, open_delivery
    from resight.models import load_model

    planned = None if plan is None else read_plan(plan)
    addresses = [(camera_name(name), address) for name, address in map(named_source, cameras)]
    if planned is not None and not addresses:
        addresses = list(planned.sources.items())
    if not addresses:
        raise ConfigurationError("no cameras given; expected NAME=SOURCE, such as door=door.mp4, or --cameras with sources")
    for name, _ in addresses:
        if planned is not None and name not in planned.cameras:
            raise ConfigurationError(f"{plan} has no camera {name!r}{nearest_name(name, planned.cameras)}; add it there")
    if calibration is not None and not gallery:
        raise ConfigurationError("--calibration joins the tracklets of a gallery; name it by --gallery")
    if calibration is not None and is_remote(gallery) and not gallery.startswith("postgres"):
        raise ConfigurationError("--calibration joins people in a folder or a database, not through a service")
    if planned is not None and calibration is None and planned.ways.shortest:
        warn((f"{plan}: overlaps and travel times are for --calibration, and are not used",))
    printed = out in ("", "-")
    tell = _report if printed else say
    log_file = None if printed or is_broker(out) else Path(out)
    check_writable(log_file, video, json)
    names = [name for name, _ in addresses]
    truth_files = by_camera(score, names, "--score")
    times = {} if planned is None or cameras else dict(planned.starts)
    times |= {name: parse_time(text) for name, text in by_camera(start, names, "--start").items()}
    truths = {}
    for name, truth in truth_files.items():
        if not Path(truth).is_file():
            raise ConfigurationError(f"--score: there is no file {truth}; expected ground truth as MOT text")
        truths[name] = read_mot(truth)
    if blur and video is None:
        raise ConfigurationError("--blur is for the annotated video; name its file by --video")
    with contextlib.ExitStack() as stack:
        film = None if video is None else VideoWriter(video, len(names), blur=blur)
        folder = mot if mot is not None or not truths else Path(stack.enter_context(tempfile.TemporaryDirectory()))
        tracks = None if folder is None else MotWriter(folder)
        kind, _, file = detector.partition(":")
        read = {"--model": model, "--detector": file, "--cameras": plan, "--calibration": calibration, "--token": token}
        read |= {f"the source of the camera {name!r}": address for name, address in addresses}
        read |= {f"the ground truth of {name!r}": truth for name, truth in truth_files.items()}
        read |= {f"the boxes of {name!r}": str(Path(file, f"{name}.txt")) for name in names if kind == "boxes"}
        written = {"--out": log_file, "--json": json}
        written |= {f"the tracks of {name!r}": tracks.path(name) for name in names if tracks is not None}
        written |= {f"the video of {name!r}": film.path(name) for name in names if film is not None}
        _check_apart(read, written)
        delivers = is_remote(gallery) and calibration is None
        if not delivers and (token is not None or backlog is not None or max_backlog != _BACKLOG):
            raise ConfigurationError("nothing waits here; --token, --backlog and --max-backlog are for a service or a database")
        sources, refused = open_sources(addresses, times, rate=rate, every=every)
        remote = opened = None
        if delivers:
            most = round(max_backlog * 1_000_000)
            made = open_delivery(gallery, shown(gallery), token=token, backlog=backlog, most=most, report=_report)
            remote = stack.enter_context(contextlib.closing(made))
        elif gallery:
            opened = stack.enter_context(Gallery.open(gallery))
        keeping, threads = remote or opened, threads or max(1, usable_cores() // 2)  # two networks work at the same time
        if keeping is not None:
            embedder = model_of(keeping, model, device, threads)
        else:
            embedder = load_model(model or "student", device=device, threads=threads)
        if tracks is not None:
            stack.enter_context(contextlib.closing(tracks))
        if film is not None:
            stack.enter_context(contextlib.closing(film))
        log = stack.enter_context(contextlib.closing(open_log(out, _report)))
        people = None
        if opened is not None and calibration is not None:
            decision = Calibration.load(calibration)
            decision.check(opened.settings)
            warn(decision.notes(opened.settings, kept=TRACKLET))
            people = People(opened, decision.limits(), None if planned is None else planned.ways)
        keeper = Keeper(log, sources, keeping, people)
        watching = Watch(
            sources,
            load_detector(detector, threshold=confidence, threads=threads),
            embedder,
            observers=[each for each in (tracks, film, keeper) if each is not None],
            report=_report,
        )
        if remote is not None:
            remote.start(embedder)
        for name in watching.failures:
            keeper.end(name)
        watching.failures |= {one.camera: one.reason for one in refused}
        warn(tuple(f"{name}: {reason}" for name, reason in watching.failures.items()))
        late = ""
        pending: Event | None = None
        try:
            for event in watching.run():
                pending = event
                keeper.keep(event)
                pending = None
            keeper.join()
            late = "" if remote is None else remote.finish(_PATIENCE)
        except KeyboardInterrupt:
            live = {source.camera for source in sources if source.live}
            if pending is not None and pending.camera in live:
                keeper.keep(pending)  # perhaps half of it was, and no film shows it again
            for event in watching.close_live():
                keeper.keep(event)
            if len(live) < len(sources):
                raise
            if remote is not None:
                warn(tuple(filter(None, [remote.finish(_SHORT)])))
        log.close()
        result = {"events": log.counts} | _account(watching, sources, keeper.counts if keeping is not None else None)
        files = sum((source.account() for source in sources), Accounting())
        if files.there:
            result["files"] = files.to_dict()
            tell(str(files))
        result["scores"] = _score(truths, tracks, tell)
        write_result(json, result)
        failures = [f"{name}: {reason}" for name, reason in watching.failures.items()]
        if failures:
            raise VideoError("; ".join([*failures, *filter(None, [late])]))
        if late:
            raise GalleryAwayError(late)


def _check_apart(read: Mapping[str, str | Path | None], written: Mapping[str, Path | None]) -> None:
    """Refuse to write into what is read, or two things into one file. Raises `ConfigurationError`."""
    from resight.errors import ConfigurationError

    uses = {Path(path).resolve(): what for what, path in read.items() if path}
    for what, path in written.items():
        if path is not None and (other := uses.setdefault(path.resolve(), what)) != what:
            raise ConfigurationError(f"{path} is {other}, and would also be {what}; give another name")


def _account(watching: Watch, sources: list[Source], kept: dict[str, int] | None) -> dict[str, object]:
    """Say what became of each camera's frames, and return it."""
    from dataclasses import asdict

    cameras: dict[str, object] = {}
    for source in sources:
        counts = asdict(source.counts)
        cameras[source.camera] = {"source": source.shown, **counts, "tracklets": watching.tracklets.get(source.camera, 0)}
        notes = [f"{counts[name]} {name}" for name in ("broken", "dropped") if counts[name]]
        notes += [f"{counts['reconnected']} times reconnected"] if counts["reconnected"] else []
        said = ", ".join([f"{counts['frames']} frames", *notes, f"{watching.tracklets[source.camera]} tracklets"])
        _report(f"{source.camera}: {said}")
        if not source.dated and counts["frames"] and kept is not None:
            _report(f"{source.camera}: its time is unknown; --start gives its sightings one, which --calibration needs")
    for name, reason in watching.failures.items():
        cameras[name] = {**dict(cameras.get(name, {})), "failure": reason}  # type: ignore[call-overload]
    if kept is not None:
        more = "".join(f", {kept[name]} {name}" for name in ("refused", "lost", "waiting") if kept.get(name))
        warn((f"gallery: {kept['added']} added, {kept['present']} there already, {kept['expired']} too old{more}",))
    return {"cameras": cameras, "short": watching.short, "gallery": kept}


def _score(truths: dict[str, MotRows], tracks: MotWriter | None, tell: Callable[[str], None]) -> dict[str, object]:
    from resight.cameras.mot import read_mot
    from resight.cameras.scores import score_tracks

    scores: dict[str, object] = {}
    for name, truth in truths.items():
        if tracks is not None and tracks.path(name).exists():
            found = score_tracks(truth, read_mot(tracks.path(name)))
            scores[name] = found.to_dict()
            tell(f"{name}: HOTA {found.hota:.3f}, IDF1 {found.idf1:.3f}, MOTA {found.mota:.3f}")
    return scores


def _report(line: str) -> None:
    warn((line,))
