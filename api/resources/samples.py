"""/v1/jobs/{id}/samples: images drawn from a checkpoint. The same checkpoint and seed give the same bytes."""

import hashlib
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Literal

import structlog
from fastapi import APIRouter, Query, Request, Response

from api.http import etags
from api.http.access import Reader, Using
from api.http.errors import Problem, documented, invalid, not_found
from api.http.ids import CHECKPOINT_CHOICE, JobId
from api.services import SampleRequest, Services
from models.checkpoints.errors import CorruptCheckpoint
from models.generation import labels
from models.specs import stored
from store import checkpoints, jobs, states, tables

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
Which = Annotated[str, Query(pattern=CHECKPOINT_CHOICE, description="latest, best or an id")]
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
    """Draw a grid of samples as a PNG. Points are drawn as a scatter of at least 4,096."""
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
    """Draw many samples into one file."""
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
    """Return the checkpoints to try, best first. `pictures`: whether images of pixels are wanted. Raises Problem."""
    with services.database.read() as session:
        job = jobs.get(session, job_id=job_id, tenant=tenant)
        spec = stored.read(job.spec)
        if (problem := labels.problem(label, spec=spec)) is not None:
            raise invalid("query/label", problem)
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


def _answer(
    request: Request,
    services: Services,
    find: Callable[[], list[tables.Checkpoint]],
    draw: Callable[[tables.Checkpoint, Path], bytes],
    *,
    media_type: str,
    what: str,
) -> Response:
    """Answer from the first checkpoint that can be drawn from; the headers say which it is.

    `find` is called again when all were damaged or gone: checkpoints that were pruned meanwhile have successors.
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
            folder = services.artifacts.local_copy(row.path)
            if etags.is_known(etag, request):
                # Before drawing, but not from a checkpoint that could not serve: an older one would answer.
                services.sampler.check(row.id, folder)
                return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
            content = draw(row, folder)
        except (CorruptCheckpoint, FileNotFoundError) as error:
            log.error("checkpoint damaged or gone", checkpoint=row.id, job_id=row.job_id, error=str(error))
            candidates = candidates or [new for new in find() if new.id not in tried]
            continue
        return Response(content, media_type=media_type, headers=headers)
    raise not_found("every checkpoint that could serve this is damaged or gone")


def _square(count: int) -> int:
    """Return the columns of the grid that is as square as possible, wider rather than higher."""
    return next(columns for columns in range(1, count + 1) if columns * columns >= count)
