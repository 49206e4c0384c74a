"""Routes that list people and name them: some sightings, or all of one person."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from fastapi import APIRouter

from resight.gallery import Record, Where
from resight.gallery.labels import called, chosen, label
from resight.gallery.seen import latest_of, people_seen
from resight.service.access import Caller
from resight.service.answers import Labelled, PeopleList, PersonAnswer
from resight.service.lifecycle import Service
from resight.service.requests import Label, Renaming, Seen
from resight.service.routes.callers import Operator, ServiceOf, Viewer

__all__ = ["router"]

router = APIRouter(prefix="/api", tags=["people"])

_LATELY = timedelta(minutes=15)


@router.post("/people/list")
def list_people(wanted: Seen, caller: Viewer, service: ServiceOf) -> PeopleList:
    """List the people of the last minutes, or of other times, with their tracklets; or one person's way past the cameras.

    A tracklet that belongs to nobody known is a person of its own. The name travels in the body, as in lists of sightings.
    """
    since = wanted.since
    if since is None and wanted.identity is None:
        since = (wanted.until or datetime.now(UTC)) - _LATELY
    identities = None if wanted.identity is None else frozenset([wanted.identity])
    cameras = frozenset(wanted.cameras) or None
    where = caller.narrow(Where(cameras=cameras, identities=identities, since=since, until=wanted.until))
    asked = wanted.model_dump(mode="json", include={"identity", "until"})
    asked |= {"since": _text(since), "cameras": None if where.cameras is None else sorted(where.cameras)}
    service.log(caller.name, "list", **asked)
    records, where, more = latest_of(service.gallery, where, wanted.limit)
    sightings = service.gallery.sightings([one.id for one in records]).values()
    people = [PersonAnswer.of(one) for one in people_seen(sightings)]
    return PeopleList(people=people, since=_text(where.since), until=_text(where.until), more=more)


@router.post("/label")
def label_sightings(wanted: Label, caller: Operator, service: ServiceOf) -> Labelled:
    """Say who is on some sightings. A tracklet is all of its sightings that the caller may see.

    An empty name splits them off: nobody is known on them, until a watched camera's tracklets are joined again; then they get a
    provisional name of their own.
    """
    records = chosen(service.gallery, frozenset(wanted.ids), frozenset(wanted.tracklets), caller.narrow(Where()))
    return _label("label", {wanted.identity: records}, caller, service)


@router.post("/people/rename")
def rename(wanted: Renaming, caller: Operator, service: ServiceOf) -> Labelled:
    """Call a person by another name, which nobody has yet. Sightings called `old?` get the name `new?`."""
    caller.check_unlimited()
    return _label("rename", called(service.gallery, wanted.old, wanted.new, merging=False), caller, service)


@router.post("/people/merge")
def merge(wanted: Renaming, caller: Operator, service: ServiceOf) -> Labelled:
    """Make two people one: all sightings of the first get the name of the second, and those called `old?` the name `new?`."""
    caller.check_unlimited()
    return _label("merge", called(service.gallery, wanted.old, wanted.new, merging=True), caller, service)


def _label(action: str, named: dict[str, list[Record]], caller: Caller, service: Service) -> Labelled:
    """Give sightings the names that they are listed under, after the log holds which ones, and what they were called."""
    for identity, records in named.items():
        before: dict[str, list[str]] = {}
        for record in records:
            before.setdefault(record.identity, []).append(record.id)
        service.log(caller.name, action, identity=identity, before=before)
    labelled = sum(label(service.gallery, records, identity) for identity, records in named.items())
    if service.watching is not None:
        service.watching.look_again()
    return Labelled(labelled=labelled)


def _text(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()
