"""/v1/jobs/{id}/samples: images drawn from a checkpoint. The same checkpoint and seed give the same bytes."""

import hashlib
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Literal

import structlog
from fastapi import APIRouter, Query, Request, Response

from api.access import Reader, Using
from api.errors import Problem, documented, invalid, not_found
from api.jobs import JobId
from api.services import CorruptCheckpoint, SampleRequest, Services
from models.spec import TrainingSpec
from store import checkpoints, ids, jobs, states, tables

log = structlog.get_logger()
router = APIRouter(prefix="/v1/jobs", tags=["samples"])
RETRY_SECONDS = 2
FAULTS = documented(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY)
HEADERS = {
    "ETag": {"schema": {"type": "string"}},
    "Saddle-Checkpoint": {"schema": {"type": "string"}},
    "Saddle-Images-Seen": {"schema": {"type": "integer"}},
}
BINARY = {"schema": {"type": "string", "format": "binary"}}

Seed = Annotated[int, Query(ge=0, le=2**53 - 1)]
Which = Annotated[str, Query(pattern=f"^(latest|best|ckpt_{ids.PATTERN})$", description="latest, best or an id")]
Label = Annotated[int | None, Query(ge=0, le=10_000, description="The class, of a conditional model; without: in turn")]
Truncation = Annotated[float, Query(gt=0, le=1, description="Scales the latents: less variety, more typical images")]


@router.get(
    "/{job_id}/samples.png",
    response_class=Response,
    responses={
        **FAULTS,
        200: {"content": {"image/png": BINARY}, "description": "A grid; of points: a scatter", "headers": HEADERS},
        304: {"description": "If-None-Match names this very picture"},
    },
)
def grid(
    request: Request,
    services: Using,
    who: Reader,
    job_id: JobId,
    count: Annotated[int, Query(ge=1, le=400)] = 64,
    seed: Seed = 0,
    columns: Annotated[int | None, Query(ge=1, le=400, description="Default: a grid as square as can be")] = None,
    checkpoint: Which = "latest",
    label: Label = None,
    truncation: Truncation = 1.0,
) -> Response:
    """A grid of samples as a PNG; of points a scatter, of 4,096 at least."""
    wanted = SampleRequest(count=count, seed=seed, truncation=truncation, label=label)
    across = min(columns or _square(count), count)

    def draw(row: tables.Checkpoint, folder: Path) -> bytes:
        return services.sampler.grid_png(row.id, folder, wanted, columns=across)

    def find() -> list[tables.Checkpoint]:
        return _candidates(services, job_id=job_id, tenant=who.tenant, which=checkpoint, label=label)

    return _answer(request, services, find, draw, media_type="image/png", what=f"{wanted}{across}")


@router.get(
    "/{job_id}/samples",
    response_class=Response,
    responses={
        **FAULTS,
        200: {
            "content": {"application/zip": BINARY, "application/octet-stream": BINARY},
            "description": "npz: array `images`, uint8 N x H x W x C; points: float32 N x 1 x 1 x 2. zip: PNGs",
            "headers": HEADERS,
        },
        304: {"description": "If-None-Match names these very images"},
    },
)
def many(
    request: Request,
    services: Using,
    who: Reader,
    job_id: JobId,
    count: Annotated[int, Query(ge=1, le=10_000)] = 1000,
    seed: Seed = 0,
    format: Literal["zip", "npz"] = "npz",  # noqa: A002 (the parameter's name is the contract's)
    checkpoint: Which = "latest",
    label: Label = None,
    truncation: Truncation = 1.0,
) -> Response:
    """Many samples in one file."""
    wanted = SampleRequest(count=count, seed=seed, truncation=truncation, label=label)
    make = services.sampler.images_npz if format == "npz" else services.sampler.images_zip

    def draw(row: tables.Checkpoint, folder: Path) -> bytes:
        return make(row.id, folder, wanted)

    def find() -> list[tables.Checkpoint]:
        return _candidates(
            services, job_id=job_id, tenant=who.tenant, which=checkpoint, label=label, pictures=format == "zip"
        )

    media_type = "application/octet-stream" if format == "npz" else "application/zip"
    return _answer(request, services, find, draw, media_type=media_type, what=f"{wanted}{format}")


def _candidates(
    services: Services, *, job_id: str, tenant: str, which: str, label: int | None, pictures: bool = False
) -> list[tables.Checkpoint]:
    """The checkpoints that may serve, in order of preference. `pictures`: whether images of pixels are wanted."""
    with services.database.read() as session:
        job = jobs.get(session, job_id=job_id, tenant=tenant)
        spec = TrainingSpec.model_validate(job.spec)
        if label is not None:
            _check(label, spec)
        if pictures and spec.dataset.facts.holds_points:
            raise invalid("query/format", "points have no pictures: use npz")
        rows = checkpoints.newest_first(session, job_id=job_id)
        if which.startswith("ckpt_"):
            return [checkpoints.get(session, job_id=job_id, checkpoint_id=which)]
    if which == "best":
        rows.sort(key=lambda row: row.id != job.best_checkpoint)
    if not rows:
        if job.status in states.ENDED:
            raise Problem(HTTPStatus.CONFLICT, f"job {job_id} has {job.status} without a checkpoint")
        headers = {"Retry-After": str(RETRY_SECONDS)}
        raise Problem(HTTPStatus.CONFLICT, f"job {job_id} has no checkpoint yet: try again", headers=headers)
    return rows


def _check(label: int, spec: TrainingSpec) -> None:
    classes = len(spec.dataset.facts.classes)
    if not spec.labels:
        raise invalid("query/label", "this model is unconditional: leave label out")
    if label >= classes:
        raise invalid("query/label", f"{spec.dataset.name} has {classes} classes: use at most {classes - 1}")


def _answer(
    request: Request,
    services: Services,
    find: Callable[[], list[tables.Checkpoint]],
    draw: Callable[[tables.Checkpoint, Path], bytes],
    *,
    media_type: str,
    what: str,
) -> Response:
    """From the first checkpoint that is whole; the headers say which it was. Of those that were pruned meanwhile there
    are successors.
    """
    tried: set[str] = set()
    candidates = find()
    while candidates:
        row = candidates.pop(0)
        tried.add(row.id)
        etag = f'"{hashlib.sha256(f"{row.id}{what}".encode()).hexdigest()[:32]}"'
        headers = {
            "ETag": etag,
            "Saddle-Checkpoint": row.id,
            "Saddle-Images-Seen": str(row.images_seen),
            "Cache-Control": "private, no-cache",
        }
        try:
            content = draw(row, services.artifacts.local_copy(row.path))
        except (CorruptCheckpoint, FileNotFoundError) as error:
            log.error("checkpoint damaged or gone", checkpoint=row.id, job_id=row.job_id, error=str(error))
            candidates = candidates or [new for new in find() if new.id not in tried]
            continue
        if etag in request.headers.get("if-none-match", ""):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        return Response(content, media_type=media_type, headers=headers)
    raise not_found("every checkpoint that could serve this is damaged or gone")


def _square(count: int) -> int:
    """Columns of the grid that is as square as can be, wider rather than higher."""
    return next(columns for columns in range(1, count + 1) if columns * columns >= count)
