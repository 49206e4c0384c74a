"""Routes for session, cameras, statistics, export, purge, audit log and metrics."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import PurePath
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from resight.decision import Calibration
from resight.decision.calibration import MATCH, POSSIBLE, kind_kept
from resight.errors import MissingSightingError
from resight.gallery import Camera, Settings, Sighting, Statistics, Where
from resight.service.access import Caller
from resight.service.answers import (
    AuditPage,
    CameraList,
    CameraSummary,
    Purged,
    Session,
    Watched,
)
from resight.service.lifecycle import Purging, Service
from resight.service.requests import Export, Purge
from resight.service.routes.callers import Admin, Operator, ServiceOf, Viewer

__all__ = ["router"]

router = APIRouter(prefix="/api", tags=["administration"])

_FORMULA = re.compile(
    r"(?:^|(?<=[,;|\t\r\n]))(?=[\s\x00-\x1f\u200b-\u200f\u2060\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20\ufe62\ufe63\ufe66\ufe6b])"
)
"""Before what a spreadsheet may take for a formula, at the start of a cell or after a separator of another language."""

_COLUMNS = ("id", "camera", "time", "source", "tracklet", "identity", "enrolled")


@router.get("/session")
def session(caller: Viewer, service: ServiceOf) -> Session:
    """Return the caller, the gallery and its calibration."""
    settings, calibration = service.gallery.settings, service.calibration
    seen = None if caller.cameras is None else _cameras(caller, service)
    size = len(service.gallery) if seen is None else sum(camera.sightings for camera in seen.values())
    return Session(
        name=caller.name,
        role=caller.role,
        cameras=None if caller.cameras is None else sorted(caller.cameras),
        gallery=_shown(settings),
        size=size,
        calibration=None if calibration is None else _promised(calibration, service, caller),
        max_upload=service.limits.upload,
        max_k=service.limits.k,
    )


@router.get("/cameras")
def cameras(caller: Viewer, service: ServiceOf) -> CameraList:
    """Return the cameras: numbers of sightings, times of the first and the last, and the state of those that are watched."""
    found, watching = _cameras(caller, service), service.watching
    states = [] if watching is None else watching.states()
    watched = {one.camera: Watched.of(one, caller) for one in states if caller.cameras is None or one.camera in caller.cameras}
    nothing = Camera(sightings=0, first=None, last=None)
    return CameraList(
        cameras=[
            CameraSummary.of(name, found.get(name, nothing), watched.get(name)) for name in sorted(found.keys() | watched.keys())
        ],
        trouble="" if watching is None else watching.trouble,
    )


@router.get("/stats")
def stats(caller: Viewer, service: ServiceOf) -> Statistics:
    """Return numbers about the sightings that the caller may see."""
    return replace(service.gallery.statistics(caller.cameras), settings=_shown(service.gallery.settings))


@router.post("/export", response_class=Response, responses={200: {"content": {"application/zip": {}}}})
def export(wanted: Export, caller: Operator, service: ServiceOf) -> Response:
    """Return sightings and thumbnails as a ZIP file. It names the audit log's entry about this export."""
    found = service.gallery.sightings(wanted.ids)
    if missing := [id for id in wanted.ids if id not in found or not caller.sees(found[id])]:
        raise MissingSightingError(f"no sighting {missing[0]} in this gallery; it may have been purged")
    entry = service.log(caller.name, "export", sightings=sorted(found), reason=wanted.reason)
    about = {"exported_by": caller.name, "reason": wanted.reason, "time": entry["time"], "sightings": len(found)}
    about |= {"audit_sha256": entry["sha256"]}
    headers = {"content-disposition": 'attachment; filename="sightings.zip"', "resight-audit-sha256": entry["sha256"]}
    if caller.cameras is None:  # the number tells how much others do
        about |= {"audit_entry": entry["number"]}
        headers |= {"resight-audit-number": str(entry["number"])}
    return Response(_zip(list(found.values()), about), media_type="application/zip", headers=headers)


@router.post("/purge")
def purge(wanted: Purge, caller: Admin, service: ServiceOf) -> Purged:
    """Delete sightings for good, from the gallery and its snapshots, and search all its files for traces of them."""
    where = caller.narrow(
        Where(
            identities=None if wanted.identity is None else frozenset([wanted.identity]),
            cameras=None if wanted.cameras is None else frozenset(wanted.cameras),
            ids=None if wanted.ids is None else frozenset(wanted.ids),
            since=wanted.since,
            until=wanted.until,
            older_than=wanted.older_than,
            newer_than=wanted.newer_than,
        )
    )
    here, elsewhere = service.gallery.reach(where)
    meant = len(here) + elsewhere
    near = service.gallery.near_names(where) if caller.cameras is None else []
    if wanted.dry_run:
        return Purged(sightings=meant, removed=False, near=near)
    asked = {name: value for name, value in wanted.model_dump(mode="json").items() if value is not None and name != "dry_run"}
    cameras = None if where.cameras is None else sorted(where.cameras)
    service.log_purge(caller.name, **asked | {"cameras": cameras, "sightings": meant})
    removal = asdict(service.purge(where))
    return Purged(sightings=removal.pop("removed"), removed=True, near=near, **removal)


@router.get("/purge/progress")
def purging(caller: Admin, service: ServiceOf) -> Purging:
    """Return how far a purge has come that runs, or the last one."""
    caller.check_unlimited()
    unfinished = not service.purging.running and service.gallery.reach(Where(ids=frozenset()))[1] > 0
    return replace(service.purging, unfinished=unfinished)


@router.get("/audit")
def audit(
    caller: Admin,
    service: ServiceOf,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    before: Annotated[int | None, Query(ge=1)] = None,
) -> AuditPage:
    """Return entries of the audit log, newest first, and whether the log is unchanged. This request is logged too."""
    caller.check_unlimited()
    entry = service.log(caller.name, "audit", before=before)
    problems = service.audit.problems()
    head = {"number": entry["number"], "sha256": entry["sha256"]}
    return AuditPage(entries=service.audit.newest(limit, before), intact=not problems, problems=problems, head=head)


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def metrics(caller: Admin, service: ServiceOf) -> Response:
    """Return metrics for Prometheus."""
    caller.check_unlimited()
    return Response(service.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _shown(settings: Settings) -> Settings:
    """Return settings without folders of this machine."""
    return replace(settings, model=PurePath(settings.model).name)


def _promised(calibration: Calibration, service: Service, caller: Caller) -> dict[str, Any]:
    """Return the thresholds with their promises, the number of people, and notes."""
    promised = _points(calibration) | {"promise": calibration.promise}
    promised["tracklets"] = None if calibration.tracklets is None else _points(calibration.tracklets)
    gallery, people = service.gallery, service.people(caller.cameras)
    return promised | {"notes": list(calibration.notes(gallery.settings, people=people, kept=kind_kept(gallery.page())))}


def _points(calibration: Calibration) -> dict[str, Any]:
    """Return the thresholds of one kind of question, what the other promise would cost, and the number of people."""
    points: dict[str, Any] = {MATCH: calibration.match.to_dict(), POSSIBLE: calibration.possible.to_dict()}
    instead = calibration.instead
    points["instead"] = None if instead is None else {MATCH: instead[0].to_dict(), POSSIBLE: instead[1].to_dict()}
    return points | {"people": calibration.people}


def _cameras(caller: Caller, service: Service) -> dict[str, Camera]:
    """Return the cameras that the caller may see."""
    found = service.gallery.cameras()
    return {name: camera for name, camera in found.items() if caller.cameras is None or name in caller.cameras}


def _zip(sightings: Sequence[Sighting], about: dict[str, Any]) -> bytes:
    table = io.StringIO(newline="")
    rows = csv.writer(table)
    rows.writerow(_COLUMNS)
    for sighting in sightings:
        values = sighting.to_dict()
        rows.writerow([_cell(values[column]) for column in _COLUMNS])
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("about.json", json.dumps(about, indent=2, ensure_ascii=False) + "\n")
        archive.writestr("sightings.csv", table.getvalue())
        for sighting in sightings:
            archive.writestr(f"thumbnails/{sighting.id}.jpg", sighting.thumbnail)
    return stream.getvalue()


def _cell(value: str | None) -> str:
    """Return a text that no spreadsheet takes for a formula."""
    return _FORMULA.sub("'", value or "")
