"""Routes that enrol, list, show and judge sightings."""

from __future__ import annotations

import hashlib
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from resight.errors import MissingSightingError, UploadError
from resight.gallery import Crop, Sighting, Where, sighting_id
from resight.gallery.strip import best_crop
from resight.service.access import Caller
from resight.service.answers import Enrolled, Judged, Known, Listed
from resight.service.forms import form_schema
from resight.service.lifecycle import Service
from resight.service.requests import EnrolForm, Verdict, Wanted
from resight.service.routes.callers import Operator, ServiceOf, Viewer
from resight.service.uploads import check_model, check_pixels, crop_of, work_on

__all__ = ["router"]

router = APIRouter(prefix="/api/sightings", tags=["sightings"])

SightingId = Annotated[str, Path(pattern="^[0-9a-f]{32}$")]


@router.post("", status_code=201, openapi_extra=form_schema(EnrolForm), responses={200: {"model": Enrolled}})
async def enrol(request: Request, response: Response, caller: Operator, service: ServiceOf) -> Enrolled:
    """Add a crop of one person. The answer is 201, or 200 if the gallery has it already."""
    service.places.check(caller.name)  # before the body is read
    await request.body()
    with service.places.one(caller.name):
        enrolled = await work_on(request, caller, service, EnrolForm, lambda form: _enrol(form, caller, service))
    response.status_code = 201 if enrolled.added else 200
    return enrolled


def _enrol(form: EnrolForm, caller: Caller, service: Service) -> Enrolled:
    gallery = service.gallery
    check_model(gallery.settings, form.model_sha256)
    caller.check_cameras(frozenset([form.camera]))
    oldest = gallery.settings.expired_before()
    if oldest is not None and form.time is not None and form.time < oldest:
        raise UploadError(f"{form.time.isoformat()} is older than this gallery's retention; the sighting was not added")
    check_pixels([form.image], service.limits.pixels)
    data, pixels = crop_of(form.image, form.box)
    sha256 = hashlib.sha256(data).hexdigest()
    id = sighting_id(sha256, form.camera, form.time)
    service.log(
        caller.name,
        "enrol",
        sighting=id,
        image=sha256,
        camera=form.camera,
        time=None if form.time is None else form.time.isoformat(),
        identity=form.identity,
    )
    labels = {"camera": form.camera, "tracklet": form.tracklet, "identity": form.identity}
    crop = Crop(source=form.source, data=data, pixels=pixels, time=form.time, **labels)
    enrolment = gallery.enrol(service.extractor, [crop])
    if enrolment.failures:
        raise UploadError(enrolment.failures[0][1])
    return Enrolled(id=id, added=bool(enrolment.added))


@router.post("/list")
def list_sightings(wanted: Wanted, caller: Viewer, service: ServiceOf) -> Listed:
    """List sightings by time, those without a time last. Ask for the next page with ``after``, set to the answer's ``next``.

    Names travel in the body, because proxies log addresses, and no purge reaches their logs.
    """
    where = caller.narrow(
        Where(
            cameras=frozenset(wanted.cameras) or None,
            identities=None if wanted.identity is None else frozenset([wanted.identity]),
            since=wanted.since,
            until=wanted.until,
        )
    )
    asked = wanted.model_dump(mode="json", include={"identity", "since", "until", "after"})
    service.log(caller.name, "list", **asked | {"cameras": None if where.cameras is None else sorted(where.cameras)})
    page = service.gallery.page(where, wanted.limit + 1, wanted.after)
    more = len(page) > wanted.limit
    page = page[: wanted.limit]
    return Listed(sightings=[Known.of(record, caller) for record in page], next=page[-1].id if more else None)


@router.get("/{id}")
def get_sighting(id: SightingId, caller: Viewer, service: ServiceOf) -> Known:
    """Return one sighting."""
    return Known.of(_find(service, caller, id), caller)


@router.get("/{id}/thumbnail", response_class=Response, responses={200: {"content": {"image/jpeg": {}}}})
def thumbnail(id: SightingId, caller: Viewer, service: ServiceOf, best: bool = False) -> Response:
    """Return the image of a sighting, at most 128 pixels high: all crops of a tracklet, or only the best. Looking is logged."""
    found = _find(service, caller, id)
    service.log(caller.name, "look", sighting=id)
    return Response(best_crop(found.thumbnail) if best else found.thumbnail, media_type="image/jpeg")


@router.post("/{id}/verdict")
def judge(id: SightingId, verdict: Verdict, caller: Operator, service: ServiceOf) -> Judged:
    """Confirm that a sighting shows a person, which labels it; or reject it, which removes that label."""
    before = _find(service, caller, id).identity
    after = verdict.identity if verdict.verdict == "confirm" else "" if before == verdict.identity else before
    service.log(
        caller.name,
        "verdict",
        sighting=id,
        search=verdict.search,
        verdict=verdict.verdict,
        identity=verdict.identity,
        before=before,
    )
    if after != before and not service.gallery.label([id], after):
        raise _missing(id)
    if service.watching is not None:
        service.watching.look_again()
    return Judged(id=id, identity=after)


def _find(service: Service, caller: Caller, id: str) -> Sighting:
    found = service.gallery.get(id)
    if not caller.sees(found):
        raise _missing(id)
    return found


def _missing(id: str) -> MissingSightingError:
    return MissingSightingError(f"no sighting {id} in this gallery; it may have been purged")
