"""`resight serve`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from resight.cli.gallery import model_of
from resight.cli.options import Count, Device, Names, Threads
from resight.cli.terminal import check_writable, say, warn

if TYPE_CHECKING:
    from contextlib import ExitStack

    from resight.cameras.plan import Plan
    from resight.service.audit import AuditLog
    from resight.service.audit_database import DatabaseAudit
    from resight.service.lifecycle import Service
    from resight.service.watching import Watching

__all__ = ["serve"]


def serve(
    gallery: str,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    name: Names = None,
    access: Path | None = None,
    calibration: Path | None = None,
    people: Count = 0,
    watch: Path | None = None,
    detector: str = "motion",
    every: Annotated[int, Parameter(validator=Number(gte=1))] = 1,
    events: str = "",
    audit: Path | None = None,
    purge_every: str = "1h",
    queue: int = 8,
    max_upload: float = 8,
    max_k: int = 200,
    model: str = "",
    device: Device = "auto",
    threads: Threads = 0,
) -> None:
    """Serve a gallery over HTTP, with a page to search it in a browser, and watch cameras into it. Ctrl-C ends it.

    Parameters
    ----------
    gallery
        Folder or database of the gallery.
    host
        Address to bind. An address that other machines can reach needs --access.
    port
        Port to bind; 0 takes a free one.
    name
        Further host name of this service, for example behind a proxy; repeat for more names.
    access
        File of tokens from `resight access`. Without it, one token is made for this run and printed.
    calibration
        File from `resight calibrate`: searches then also answer match, possible or unknown, and the tracklets of --watch are joined
        into people across cameras.
    people
        Number of people in the gallery, to which the calibration's distances are adjusted; by default it is estimated as it grows.
    watch
        TOML file of cameras, see `resight watch`; all that have a source are watched into this gallery.
    detector
        Detector for --watch, see `resight watch`.
    every
        Look at every N-th frame only.
    events
        Append what happens in front of the cameras to this file, as JSON lines, or send it to an MQTT broker, see `resight watch`.
    audit
        File of the audit log. By default it is audit.jsonl in the gallery's folder, or a table of its database, which several
        services share. The service does nothing that it cannot log.
    purge_every
        Time between purges of expired sightings, for example 1h.
    queue
        Uploads that may wait or be worked on at once, shared among callers; further ones get status 429, and a time to try again.
    max_upload
        Largest request, in MB.
    max_k
        Largest number of matches that a search may ask for.
    model
        Path of the gallery's model, if it has moved.
    """
    import contextlib
    import logging
    import math
    import os
    import re
    import secrets

    # Before NumPy is loaded: its matrix products would otherwise keep all cores spinning, which the others' requests need.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from resight.cameras.events import is_broker
    from resight.cameras.plan import read_plan
    from resight.decision import Calibration
    from resight.errors import ConfigurationError
    from resight.gallery import Gallery, parse_retention
    from resight.memory import share_heap
    from resight.service import AccessFile, Caller, single_token
    from resight.service.lifecycle import Limits, Service
    from resight.service.server import is_loopback, listen, run

    share_heap()  # a purge by one thread overwrites what others freed
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    local = is_loopback(host)
    if not local and access is None:
        raise ConfigurationError(f"other machines can reach {host}; name a file of tokens by --access, see `resight access`")
    if not 0 < max_upload < math.inf:
        raise ConfigurationError(f"--max-upload is {max_upload:g}; expected a number of MB, more than 0")
    try:
        seconds = parse_retention(purge_every)
    except ConfigurationError:
        seconds = 0
    if seconds == 0:
        raise ConfigurationError(f"--purge-every is {purge_every}; expected a time from 1s to 36500d, for example 1h, or unlimited")
    for one in name or ():
        if not re.fullmatch(r"[\w.-]+|\[[\da-f:.]+\]", one, re.ASCII | re.IGNORECASE):
            raise ConfigurationError(f"--name is {one}; expected a host name without port or path, for example gallery.example.org")
    if people and calibration is None:
        raise ConfigurationError("--people adjusts the distances of a calibration; name its file by --calibration")
    if watch is None and (events or detector != "motion" or every != 1):
        raise ConfigurationError("--detector, --every and --events are for cameras; name a file of cameras by --watch")
    plan = None if watch is None else read_plan(watch)
    if plan is not None and not plan.sources:
        raise ConfigurationError(f"{watch}: no camera has a source; add source to those that are to be watched")
    check_writable(None if events in ("", "-") or is_broker(events) else Path(events))
    limits = Limits(queue=queue, upload=round(max_upload * 1_000_000), k=max_k)
    token = secrets.token_urlsafe(32)
    find = single_token(token, Caller(name="local", role="admin")) if access is None else AccessFile(access).find
    with contextlib.ExitStack() as stack:
        opened = stack.enter_context(Gallery.open(gallery))
        service = Service(
            opened,
            model_of(opened, model, device, threads),
            stack.enter_context(contextlib.closing(_audit(gallery, audit))),
            find,
            calibration=None if calibration is None else Calibration.load(calibration),
            people=people,
            limits=limits,
            purge_every=seconds,
        )
        watching = None if plan is None else _watching(service, plan, detector, every, events, threads, stack)
        listener = stack.enter_context(listen(host, port))
        stack.enter_context(service)
        shown = f"[{host}]" if ":" in host else host
        address = f"http://{shown}:{listener.getsockname()[1]}/"
        with contextlib.suppress(KeyboardInterrupt):  # which is how it ends
            say(f"{len(opened)} sightings at {address}{'' if access else f'#token={token}'}")
            say("Ctrl-C ends it")
            if not local:
                warn(("images and tokens travel unencrypted; put a proxy with TLS in front",))
            if watching is not None:
                service.watching = stack.enter_context(watching)
            run(service, listener, host, name or ())
    say("stopped")


def _audit(gallery: str, file: Path | None) -> AuditLog | DatabaseAudit:
    from resight.gallery.store.interface import is_database
    from resight.service.audit import FILE, AuditLog

    if file is None and is_database(gallery):
        from resight.service.audit_database import DatabaseAudit

        return DatabaseAudit(gallery)
    return AuditLog(file or Path(gallery) / FILE)


def _watching(service: Service, plan: Plan, detector: str, every: int, events: str, threads: int, stack: ExitStack) -> Watching:
    """Everything that can be wrong with the cameras is said here, before anything is started."""
    import contextlib

    from resight.cameras.detectors import load_detector
    from resight.cameras.events import open_log
    from resight.cameras.sources import open_sources
    from resight.service.watching import Watching

    calibration = service.calibration
    if calibration is None and (plan.ways.shortest or plan.ways.longest):
        warn(("overlaps and travel times of the cameras are for --calibration, and are not used",))
    if calibration is not None and calibration.distance != "cosine":
        warn((f"people are joined by the cosine distance; with {calibration.distance}, every tracklet stays alone",))
        calibration = None
    sources, refused = open_sources(plan.sources.items(), plan.starts, every=every)
    for one in refused:
        warn((f"{one.camera}: {one.reason}",))
    return Watching(
        service.gallery,
        service.extractor,
        service.log,
        sources,
        load_detector(detector, threads=threads),
        refused=refused,
        calibration=calibration,
        plan=plan,
        events=stack.enter_context(contextlib.closing(open_log(events, lambda line: warn((line,))))) if events else None,
    )
