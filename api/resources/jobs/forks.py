"""/v1/jobs/{id}/fork: a new job that goes on from a checkpoint of another, with changes to the spec."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy.orm import Session

from api.http import idempotency, openapi
from api.http.access import Using, Writer
from api.http.body import JsonBody, json_body
from api.http.errors import BODY, REFUSED, documented, invalid, invalid_spec
from api.http.idempotency import IdempotencyKey
from api.http.ids import CHECKPOINT_CHOICE, JobId
from api.resources.jobs.answers import JobOut
from api.resources.jobs.creation import accepted, finder, new_job
from api.services import Services
from models import presets
from models.checkpoints import forks
from models.specs import TrainingSpec, stored
from store import checkpoints, ids, jobs, tables
from store.checkpoints import NewCheckpoint
from store.errors import Conflict

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])


class Fork(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    checkpoint: str = Field(default="latest", pattern=CHECKPOINT_CHOICE)
    """latest, best or an id."""
    spec: dict[str, Any] = {}
    """Changes to the job's spec. The networks stay as they are; images that the checkpoint has seen count."""


@router.post(
    "/{job_id}/fork",
    status_code=202,
    response_model=JobOut,
    responses={
        **documented(*BODY, *REFUSED, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.INSUFFICIENT_STORAGE),
        202: {"description": "Accepted: the new job is stored and will run", "headers": openapi.LOCATION},
    },
    openapi_extra=openapi.body_of(
        Fork, example={"checkpoint": "best", "spec": {"generator_optimizer": {"lr": 0.0005}, "name": "gentler"}}
    ),
)
def fork(
    services: Using,
    who: Writer,
    job_id: JobId,
    body: Annotated[JsonBody, Depends(json_body)],
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Create a job that begins with a copy of a checkpoint: with a longer budget, other rates, another seed."""
    try:
        wish = Fork.model_validate(body.data)
    except ValidationError as error:
        raise invalid_spec(error, body.data) from error
    # Before the parent is read: since the first request it may have been deleted or have trained too far.
    earlier = idempotency.find(services, who, key=idempotency_key, fingerprint=body.fingerprint)
    if earlier is not None:
        return earlier
    with services.database.read() as session:
        parent = jobs.get(session, job_id=job_id, tenant=who.tenant)
        source = _source(session, parent, wish.checkpoint)
    before = stored.read(parent.spec)
    spec = _amended(before, wish.spec, find=finder(services.database, who.tenant), images_seen=source.images_seen)
    child_id = ids.new("job")
    alike = _measured_alike(before, spec)
    copy = NewCheckpoint(
        images_seen=source.images_seen,
        seconds_trained=0.0,
        path=f"jobs/{child_id}/checkpoints/{source.images_seen:015d}-0",
        size_bytes=source.size_bytes,
        quality=source.quality if alike else None,
        rank=source.rank if alike else None,
    )

    def make(session: Session) -> tables.Job:
        job = jobs.create(session, new=new_job(spec, tenant=who.tenant, forked_from=source), job_id=child_id)
        checkpoints.adopt(session, job=job, new=copy)
        return job

    try:
        _share(services, source, copy.path)
    except BaseException:
        services.artifacts.delete(f"jobs/{child_id}")
        raise
    # The files stay if this raises: the commit may have succeeded. Those without a row are swept later.
    answer, is_new = idempotency.create(
        services, who, key=idempotency_key, fingerprint=body.fingerprint, make=make, answer=accepted
    )
    if not is_new:
        services.artifacts.delete(f"jobs/{child_id}")
    return answer


def _source(session: Session, parent: tables.Job, which: str) -> tables.Checkpoint:
    """Return the checkpoint to begin with. Raises NotFound; Conflict where there is none yet."""
    if which in {"latest", "best"}:
        found = parent.best_checkpoint if which == "best" else parent.latest_checkpoint
        if found is None:
            raise Conflict(f"job {parent.id} has no {which} checkpoint yet")
        which = found
    return checkpoints.get(session, job_id=parent.id, checkpoint_id=which)


def _amended(before: TrainingSpec, changes: Mapping[str, Any], *, find: presets.Find, images_seen: int) -> TrainingSpec:
    """Return the spec with its changes. Raises Problem 422."""
    try:
        spec = presets.amend(before, changes, find=find)
    except ValidationError as error:
        raise invalid_spec(error, changes, at="/spec") from error
    problem = forks.problem(before, spec, images_seen=images_seen)
    if problem is not None:
        field, message = problem
        raise invalid(f"/spec/{field}", message)
    return spec


def _measured_alike(before: TrainingSpec, spec: TrainingSpec) -> bool:
    """Return whether figures of both can be compared: the best checkpoint is chosen by them."""
    return (before.dataset, before.evaluation.samples) == (spec.dataset, spec.evaluation.samples)


def _share(services: Services, source: tables.Checkpoint, path: str) -> None:
    """Give the new job the checkpoint's files. Raises Conflict, StorageFull."""
    try:
        services.artifacts.share(source.path, path, min_free_bytes=services.settings.min_free_bytes)
    except FileNotFoundError as error:
        raise Conflict(f"checkpoint {source.id} has just been removed: choose a newer one") from error
