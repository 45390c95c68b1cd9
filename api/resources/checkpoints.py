"""/v1/jobs/{id}/checkpoints: the checkpoints of a job, their pins, and their generators to download."""

import os
from collections.abc import Iterator
from http import HTTPStatus
from typing import Annotated, BinaryIO

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from api.http import pages
from api.http.access import Principal, Reader, Using, Writer
from api.http.answers import Answer, Instant
from api.http.errors import REFUSED, documented, not_found
from api.http.ids import CheckpointId, JobId
from api.http.pages import Page
from api.services import Services
from store import checkpoints, jobs, tables

router = APIRouter(prefix="/v1/jobs", tags=["checkpoints"])
ABSENT = documented(HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY)
PIN_FAULTS = documented(*REFUSED, HTTPStatus.NOT_FOUND)
CHUNK_BYTES = 2**20
WEIGHTS = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}


class CheckpointOut(Answer):
    id: str
    job_id: str
    attempt: int
    images_seen: int
    size_bytes: int
    quality: dict[str, float] | None
    pinned: bool
    """Kept however many are newer or better."""
    created_at: Instant


@router.get("/{job_id}/checkpoints", response_model=Page[CheckpointOut], responses=ABSENT)
def index(
    services: Using,
    who: Reader,
    job_id: JobId,
    limit: pages.Limit = 20,
    after: Annotated[str | None, pages.after("ckpt")] = None,
) -> Page[CheckpointOut]:
    """List a job's checkpoints, newest first."""
    with services.database.read() as session:
        jobs.get(session, job_id=job_id, tenant=who.tenant)
        rows, more = checkpoints.page(session, job_id=job_id, limit=limit, after=after)
    return pages.page(CheckpointOut, rows, more=more)


@router.get("/{job_id}/checkpoints/{checkpoint_id}", response_model=CheckpointOut, responses=ABSENT)
def show(services: Using, who: Reader, job_id: JobId, checkpoint_id: CheckpointId) -> tables.Checkpoint:
    with services.database.read() as session:
        jobs.get(session, job_id=job_id, tenant=who.tenant)
        return checkpoints.get(session, job_id=job_id, checkpoint_id=checkpoint_id)


@router.put("/{job_id}/checkpoints/{checkpoint_id}/pin", response_model=CheckpointOut, responses=PIN_FAULTS)
def pin(services: Using, who: Writer, job_id: JobId, checkpoint_id: CheckpointId) -> tables.Checkpoint:
    """Keep a checkpoint, however many are newer or better, until it is let go or its job is deleted."""
    return _pin(services, who, job_id, checkpoint_id, pinned=True)


@router.delete("/{job_id}/checkpoints/{checkpoint_id}/pin", response_model=CheckpointOut, responses=PIN_FAULTS)
def unpin(services: Using, who: Writer, job_id: JobId, checkpoint_id: CheckpointId) -> tables.Checkpoint:
    """Unpin a checkpoint. It is removed once its job makes more than it keeps."""
    return _pin(services, who, job_id, checkpoint_id, pinned=False)


def _pin(services: Services, who: Principal, job_id: str, checkpoint_id: str, *, pinned: bool) -> tables.Checkpoint:
    with services.database.write() as session:
        jobs.get(session, job_id=job_id, tenant=who.tenant)
        return checkpoints.pin(session, job_id=job_id, checkpoint_id=checkpoint_id, pinned=pinned)


@router.get(
    "/{job_id}/checkpoints/{checkpoint_id}/generator.safetensors",
    response_class=StreamingResponse,
    responses={**ABSENT, 200: {"content": WEIGHTS, "description": "The averaged generator's weights"}},
)
def generator(services: Using, who: Reader, job_id: JobId, checkpoint_id: CheckpointId) -> StreamingResponse:
    """Download the weights that samples are drawn from. The file's metadata names the architecture that they fit."""
    with services.database.read() as session:
        jobs.get(session, job_id=job_id, tenant=who.tenant)
        row = checkpoints.get(session, job_id=job_id, checkpoint_id=checkpoint_id)
    try:
        # An open file can be read to its end, even if the checkpoint is pruned meanwhile.
        file = services.artifacts.open(row.path, "generator.safetensors")
    except FileNotFoundError as error:
        raise not_found(f"the weights of {checkpoint_id} are gone") from error
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    headers = {
        "Content-Length": str(size),
        "Content-Disposition": f'attachment; filename="{checkpoint_id}.safetensors"',
    }
    return StreamingResponse(_chunks(file), media_type="application/octet-stream", headers=headers)


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk
