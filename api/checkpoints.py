"""/v1/jobs/{id}/checkpoints: what a job has saved, and its generator to take away."""

import os
from collections.abc import Iterator
from http import HTTPStatus
from typing import Annotated, BinaryIO

from fastapi import APIRouter, Path, Query
from fastapi.responses import StreamingResponse

from api import pages
from api.access import Principal, Reader, Using, Writer
from api.errors import documented, not_found
from api.jobs import JobId
from api.schemas import CheckpointOut, Page
from api.services import Services
from store import checkpoints, ids, jobs

router = APIRouter(prefix="/v1/jobs", tags=["checkpoints"])
PATTERN = f"^ckpt_{ids.PATTERN}$"
CheckpointId = Annotated[str, Path(description="A checkpoint's id", pattern=PATTERN)]
ABSENT = documented(HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY)
REFUSED = documented(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY)
CHUNK_BYTES = 2**20
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


@router.put("/{job_id}/checkpoints/{checkpoint_id}/pin", response_model=CheckpointOut, responses=REFUSED)
def pin(services: Using, who: Writer, job_id: JobId, checkpoint_id: CheckpointId) -> CheckpointOut:
    """Keep a checkpoint, however many are newer or better, until it is let go or its job is deleted."""
    return _pin(services, who, job_id, checkpoint_id, pinned=True)


@router.delete("/{job_id}/checkpoints/{checkpoint_id}/pin", response_model=CheckpointOut, responses=REFUSED)
def unpin(services: Using, who: Writer, job_id: JobId, checkpoint_id: CheckpointId) -> CheckpointOut:
    """Let a checkpoint go, once its job makes more than it keeps."""
    return _pin(services, who, job_id, checkpoint_id, pinned=False)


def _pin(services: Services, who: Principal, job_id: str, checkpoint_id: str, *, pinned: bool) -> CheckpointOut:
    with services.database.write() as session:
        jobs.get(session, job_id=job_id, tenant=who.tenant)
        row = checkpoints.pin(session, job_id=job_id, checkpoint_id=checkpoint_id, pinned=pinned)
        return CheckpointOut.of(row)


@router.get(
    "/{job_id}/checkpoints/{checkpoint_id}/generator.safetensors",
    response_class=StreamingResponse,
    responses={**ABSENT, 200: {"content": WEIGHTS, "description": "The averaged generator's weights"}},
)
def generator(services: Using, who: Reader, job_id: JobId, checkpoint_id: CheckpointId) -> StreamingResponse:
    """The weights that samples are drawn from; the file's metadata says which architecture they fit."""
    with services.database.read() as session:
        jobs.get(session, job_id=job_id, tenant=who.tenant)
        row = checkpoints.get(session, job_id=job_id, checkpoint_id=checkpoint_id)
    try:
        # Once open it can be read to its end, should the checkpoint be pruned meanwhile.
        file = services.artifacts.open(row.path, "generator.safetensors")
    except FileNotFoundError as error:
        raise not_found(f"the weights of {checkpoint_id} are gone") from error
    headers = {
        "Content-Length": str(os.fstat(file.fileno()).st_size),
        "Content-Disposition": f'attachment; filename="{checkpoint_id}.safetensors"',
    }
    return StreamingResponse(_chunks(file), media_type="application/octet-stream", headers=headers)


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk
