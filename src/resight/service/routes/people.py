"""Routes that name people: some sightings, or all of one person."""

from __future__ import annotations

from fastapi import APIRouter

from resight.gallery import Record, Where
from resight.gallery.labels import called, chosen, label
from resight.service.access import Caller
from resight.service.answers import Labelled
from resight.service.lifecycle import Service
from resight.service.requests import Label, Renaming
from resight.service.routes.callers import Operator, ServiceOf

__all__ = ["router"]

router = APIRouter(prefix="/api", tags=["people"])


@router.post("/label")
def label_sightings(wanted: Label, caller: Operator, service: ServiceOf) -> Labelled:
    """Say who is on some sightings. A tracklet is all of its sightings that the caller may see."""
    records = chosen(service.gallery, frozenset(wanted.ids), frozenset(wanted.tracklets), caller.narrow(Where()))
    return _label("label", records, wanted.identity, caller, service)


@router.post("/people/rename")
def rename(wanted: Renaming, caller: Operator, service: ServiceOf) -> Labelled:
    """Call a person by another name, which nobody has yet."""
    caller.check_unlimited()
    return _label("rename", called(service.gallery, wanted.old, wanted.new, merging=False), wanted.new, caller, service)


@router.post("/people/merge")
def merge(wanted: Renaming, caller: Operator, service: ServiceOf) -> Labelled:
    """Make two people one: all sightings of the first get the name of the second."""
    caller.check_unlimited()
    return _label("merge", called(service.gallery, wanted.old, wanted.new, merging=True), wanted.new, caller, service)


def _label(action: str, records: list[Record], identity: str, caller: Caller, service: Service) -> Labelled:
    """Name sightings, after the log holds which ones, and what they were called."""
    before: dict[str, list[str]] = {}
    for record in records:
        before.setdefault(record.identity, []).append(record.id)
    service.log(caller.name, action, identity=identity, before=before)
    return Labelled(labelled=label(service.gallery, records, identity))
