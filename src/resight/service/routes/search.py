"""Route that searches for a person."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections.abc import Sequence

import numpy as np
from fastapi import APIRouter, Request, Response

from resight.decision.calibration import MATCH, POSSIBLE, Band
from resight.decision.words import answer
from resight.errors import UploadError
from resight.gallery import Matches, Where, fuse
from resight.gallery.grouping import without_cameras
from resight.service.access import Caller
from resight.service.answers import Found
from resight.service.audit import Act
from resight.service.forms import form_schema
from resight.service.lifecycle import Service
from resight.service.requests import SearchForm
from resight.service.routes.callers import ServiceOf, Viewer
from resight.service.search_queue import Question
from resight.service.uploads import check_model, check_pixels, person, work_on

__all__ = ["router"]

router = APIRouter(prefix="/api", tags=["search"])


@router.post("/search", response_model=Found, openapi_extra=form_schema(SearchForm))
async def search(request: Request, caller: Viewer, service: ServiceOf) -> Response:
    """Rank the sightings most like a person. Several images of one person are fused into one query."""
    started, name = time.perf_counter(), secrets.token_hex(16)
    service.places.check(caller.name)  # before the body is read: under load most requests are refused
    await request.body()
    with service.places.one(caller.name):
        question = await work_on(request, caller, service, SearchForm, lambda form: _question(form, caller, service, name))
        matches = await asyncio.wrap_future(service.searches.ask(question))
    # On a thread, because it reads the gallery, and all other requests would wait.
    found = await asyncio.to_thread(_answer, question, matches, caller, service, name, started)
    return Response(found, media_type="application/json")


def _answer(question: Question, matches: Matches, caller: Caller, service: Service, name: str, started: float) -> bytes:
    answers: Sequence[Band | None] = [None] * len(matches)
    decision: Band | None = None
    thresholds: dict[str, float] | None = None
    why: list[str] = []
    asks, people = None, service.people(question.where.cameras)
    if service.calibration is not None:
        calibration = service.calibration.asked_with(len(question.vectors))
        asks = calibration.asks
        usual = service.usual() if caller.cameras is None else None  # it is about all cameras
        told = answer(matches, calibration, fuse(question.vectors), people, usual)
        answers, decision, why = told.bands, told.decision, list(told.why)
        thresholds = {MATCH: told.match, POSSIBLE: told.possible}
    places = [Found.place(match, band, caller) for match, band in zip(matches, answers, strict=True)]
    milliseconds = 1000 * (time.perf_counter() - started)
    found = Found(
        search=name,
        decision=decision,
        thresholds=thresholds,
        asks=asks,
        people=people,
        why=why,
        matches=places,
        milliseconds=milliseconds,
    )
    return found.model_dump_json().encode()


def _question(form: SearchForm, caller: Caller, service: Service, name: str) -> Question:
    check_model(service.gallery.settings, form.model_sha256)
    if form.k > service.limits.k:
        raise UploadError(f"k is {form.k}; expected at most {service.limits.k}")
    if form.box and len(form.box) != len(form.images):
        raise UploadError(f"{len(form.box)} boxes for {len(form.images)} images; give one box an image, empty for a whole image")
    check_pixels(form.images, service.limits.pixels)
    where = caller.narrow(Where(cameras=frozenset(form.camera) or None, since=form.since, until=form.until))
    if form.not_camera:
        where = without_cameras(service.gallery, where, frozenset(form.not_camera))
    boxes = form.box or [None] * len(form.images)
    details = {
        "search": name,
        "images": [hashlib.sha256(image).hexdigest() for image in form.images],
        "boxes": ["" if box is None else str(box) for box in form.box],
        "k": form.k,
        "one_per": form.one_per,
        "cameras": None if where.cameras is None else sorted(where.cameras),
        "since": None if where.since is None else where.since.isoformat(),
        "until": None if where.until is None else where.until.isoformat(),
    }
    size = service.extractor.size
    people = [person(image, box, size) for image, box in zip(form.images, boxes, strict=True)]
    # One by one: some models' vectors differ in the last bits with the batch, and no answer may depend on other searches.
    vectors = np.concatenate([service.gallery.embed(service.extractor, [image]) for image in people])
    return Question(vectors=vectors, k=form.k, where=where, one_per=form.one_per, act=Act(caller.name, "search", details))
