"""/v1/jobs/{id}/timeline: how the pictures of the same latents have come along, from before the first step."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Response

from api.http import png
from api.http.access import Reader, Using
from api.http.answers import Answer
from api.http.errors import documented, not_found
from api.http.ids import JobId
from store import jobs, timeline

router = APIRouter(prefix="/v1/jobs", tags=["samples"])
FAULTS = documented(HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY)


class Place(Answer):
    images_seen: int
    url: str
    """The grid's address."""


class TimelineOut(Answer):
    data: list[Place]
    """Rising in `images_seen`. 0 is before the first step; a fork's timeline begins where it forked."""


@router.get("/{job_id}/timeline", response_model=TimelineOut, responses=FAULTS)
def index(services: Using, who: Reader, job_id: JobId) -> TimelineOut:
    """List the grids: one for every checkpoint ever made, also of those whose weights were removed."""
    with services.database.read() as session:
        jobs.get(session, job_id=job_id, tenant=who.tenant)
        places = timeline.places(session, job_id=job_id)
    return TimelineOut(data=[Place(images_seen=seen, url=f"/v1/jobs/{job_id}/timeline/{seen}.png") for seen in places])


@router.get(
    "/{job_id}/timeline/{images_seen}.png",
    response_class=Response,
    responses={**FAULTS, **png.described("A grid")},
)
def grid(services: Using, who: Reader, job_id: JobId, images_seen: Annotated[int, Path(ge=0, le=10**15)]) -> Response:
    """Show the grid of the job's own latents at a place of the timeline."""
    with services.database.read() as session:
        jobs.get(session, job_id=job_id, tenant=who.tenant)
        path = timeline.path(session, job_id=job_id, images_seen=images_seen)
    try:
        with services.artifacts.open(path, timeline.GRID) as file:
            return png.answer(file.read())
    except FileNotFoundError as error:
        raise not_found(f"the grid at {images_seen:,} images is gone") from error
