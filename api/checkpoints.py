"""/v1/jobs/{id}/checkpoints: what a job has saved, and its generator to take away."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import FileResponse

from api import pages
from api.access import Reader, Using
from api.errors import documented, not_found
from api.jobs import JobId
from api.schemas import CheckpointOut, Page
from store import checkpoints, ids, jobs

router = APIRouter(prefix="/v1/jobs", tags=["checkpoints"])
PATTERN = f"^ckpt_{ids.PATTERN}$"
CheckpointId = Annotated[str, Path(description="A checkpoint's id", pattern=PATTERN)]
ABSENT = documented(HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY)
WEIGHTS = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}


@router.get("/{job_id}/checkpoints", response_model=Page[CheckpointOut], responses=ABSENT)
def index(
    services: Using,
    who: Reader,
    job_id: JobId,
    limit: pages.Limit = 20,
    after: Annotated[str | None, Query(pattern=PATTERN, description="The `next` of the page before")] = None,
) -> Page[CheckpointOut]:
    """Newest first."""
    with services.database.read() as session:
        jobs.get(session, job_id=job_id, tenant=who.tenant)
        rows, more = checkpoints.page(session, job_id=job_id, limit=limit, after=after)
    return Page(data=[CheckpointOut.of(row) for row in rows], has_more=more, next=rows[-1].id if more else None)


@router.get("/{job_id}/checkpoints/{checkpoint_id}", response_model=CheckpointOut, responses=ABSENT)
def show(services: Using, who: Reader, job_id: JobId, checkpoint_id: CheckpointId) -> CheckpointOut:
    with services.database.read() as session:
        jobs.get(session, job_id=job_id, tenant=who.tenant)
        return CheckpointOut.of(checkpoints.get(session, job_id=job_id, checkpoint_id=checkpoint_id))


@router.get(
    "/{job_id}/checkpoints/{checkpoint_id}/generator.safetensors",
    response_class=FileResponse,
    responses={**ABSENT, 200: {"content": WEIGHTS, "description": "The averaged generator's weights"}},
)
def generator(services: Using, who: Reader, job_id: JobId, checkpoint_id: CheckpointId) -> FileResponse:
    """The weights that samples are drawn from; the file's metadata says which architecture they fit."""
    with services.database.read() as session:
        jobs.get(session, job_id=job_id, tenant=who.tenant)
        row = checkpoints.get(session, job_id=job_id, checkpoint_id=checkpoint_id)
    path = services.artifacts.path(row.path) / "generator.safetensors"
    if not path.is_file():
        raise not_found(f"the weights of {checkpoint_id} are gone")
    return FileResponse(path, media_type="application/octet-stream", filename=f"{checkpoint_id}.safetensors")
