"""Route that enrols tracklets, for watchers on other machines."""

from __future__ import annotations

import hashlib

import numpy as np
from fastapi import APIRouter, Request, Response
from numpy.typing import NDArray

from resight.errors import UploadError
from resight.gallery import Where, fuse
from resight.gallery.tracklets import add_tracklet, is_expired, tracklet_id
from resight.images import Pixels, decode, resize
from resight.service.access import Caller
from resight.service.answers import EnrolledTracklet
from resight.service.forms import form_schema
from resight.service.lifecycle import Service
from resight.service.requests import TrackletForm
from resight.service.routes.callers import Operator, ServiceOf
from resight.service.uploads import check_model, check_pixels, work_on

__all__ = ["router"]

router = APIRouter(prefix="/api/tracklets", tags=["sightings"])


@router.post("", status_code=201, openapi_extra=form_schema(TrackletForm), responses={200: {"model": EnrolledTracklet}})
async def enrol(request: Request, response: Response, caller: Operator, service: ServiceOf) -> EnrolledTracklet:
    """Add a tracklet as one sighting. The answer is 201, or 200 if the gallery has it already, or keeps nothing so old.

    Tracklet, camera and time make the sighting's id: a request that is sent again changes nothing.
    """
    service.places.check(caller.name)  # before the body is read
    await request.body()
    with service.places.one(caller.name):
        enrolled = await work_on(request, caller, service, TrackletForm, lambda form: _enrol(form, caller, service))
    response.status_code = 201 if enrolled.added else 200
    return enrolled


def _enrol(form: TrackletForm, caller: Caller, service: Service) -> EnrolledTracklet:
    gallery = service.gallery
    check_model(gallery.settings, form.model_sha256)
    caller.check_cameras(frozenset([form.camera]))
    id = tracklet_id(form.tracklet, form.camera, form.time)
    if is_expired(gallery.settings, form.time):
        return EnrolledTracklet(id=id, added=False, expired=True)
    given = _vector(form.vector, gallery.settings.dimension) if form.vector else None
    check_pixels(form.crops, service.limits.pixels)
    crops = [decode(crop) for crop in form.crops]
    service.log(
        caller.name,
        "enrol",
        sighting=id,
        tracklet=form.tracklet,
        images=[hashlib.sha256(crop).hexdigest() for crop in form.crops],
        camera=form.camera,
        time=None if form.time is None else form.time.isoformat(),
    )
    if gallery.records(Where(ids=frozenset([id]))):
        return EnrolledTracklet(id=id, added=False, expired=False)
    what = add_tracklet(
        gallery,
        name=form.tracklet,
        camera=form.camera,
        time=form.time,
        source=form.source,
        crops=crops,
        embedding=_embed(crops, service) if given is None else given,
        seconds=form.seconds,
    )
    return EnrolledTracklet(id=id, added=what == "added", expired=what == "expired")


def _vector(data: bytes, dimension: int) -> NDArray[np.float32]:
    if len(data) != 4 * dimension:
        raise UploadError(f"the vector has {len(data)} bytes; expected {4 * dimension}, of {dimension} numbers as float32")
    vector = np.frombuffer(data, "<f4").astype(np.float32)
    if not np.isfinite(vector).all():
        raise UploadError("the vector holds NaN or infinity; expected finite numbers")
    return vector


def _embed(crops: list[Pixels], service: Service) -> NDArray[np.float32]:
    """Embed crops one by one, as searches do, and fuse them into one vector of shape (d,)."""
    size = service.extractor.size
    vectors = np.concatenate([service.gallery.embed(service.extractor, [resize(crop, size)]) for crop in crops])
    return np.asarray(fuse(vectors)[0], np.float32)
