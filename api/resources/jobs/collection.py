"""/v1/jobs: create, list, show and delete training jobs."""

from http import HTTPStatus
from typing import Annotated

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import ValidationError

from api.http import idempotency, openapi, pages
from api.http.access import Reader, Using, Writer
from api.http.body import JsonBody, json_body
from api.http.errors import BODY, REFUSED, documented, invalid, invalid_spec
from api.http.idempotency import IdempotencyKey
from api.http.ids import JobId
from api.http.pages import Page
from api.resources.jobs.answers import DryRun, JobOut, Parameters
from api.resources.jobs.creation import accepted, finder, new_job
from api.services import Services
from api.serving.machines import hardware
from models import presets
from models.specs import TrainingSpec, advice, stored
from store import jobs, states, tables

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])


@router.post(
    "",
    status_code=202,
    response_model=JobOut,
    responses={
        **documented(*BODY, *REFUSED, HTTPStatus.CONFLICT),
        200: {"model": DryRun, "description": "dry_run=true: what the spec stands for; nothing is stored"},
        202: {"description": "Accepted: the job is stored and will run", "headers": openapi.LOCATION},
    },
    openapi_extra=openapi.spec_body(),
)
def create(
    services: Using,
    who: Writer,
    body: Annotated[JsonBody, Depends(json_body)],
    dry_run: Annotated[bool, Query(description="Only say what would run")] = False,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Start a training job. Any part of a spec will do: the preset fills in the rest."""
    machines = hardware(services)
    try:
        spec = presets.resolve(body.data, find=finder(services.database, who.tenant), hardware=machines)
    except ValidationError as error:
        raise invalid_spec(error, body.data) from error
    if dry_run:
        content = orjson.dumps(_dry_run(services, spec, machines).model_dump(mode="json"))
        return Response(content, media_type="application/json")
    new = new_job(spec, tenant=who.tenant)
    answer, _ = idempotency.create(
        services,
        who,
        key=idempotency_key,
        fingerprint=body.fingerprint,
        make=lambda session: jobs.create(session, new=new),
        answer=accepted,
    )
    return answer


@router.get("", response_model=Page[JobOut], responses=documented(HTTPStatus.UNPROCESSABLE_ENTITY))
def index(
    request: Request,
    services: Using,
    who: Reader,
    limit: pages.Limit = 20,
    after: Annotated[str | None, pages.after("job")] = None,
    status: Annotated[str | None, Query(pattern=f"^({'|'.join(states.STATUSES)})$")] = None,
    dataset: Annotated[str | None, Query(max_length=100, pattern=r"^[^\x00]*$")] = None,
) -> Page[JobOut]:
    """List your jobs, newest first. `metadata[key]=value` filters by the client's metadata."""
    labels = _labels(request)
    with services.database.read() as session:
        rows, more = jobs.page(
            session, tenant=who.tenant, limit=limit, after=after, status=status, dataset=dataset, labels=labels
        )
    return pages.page(JobOut, rows, more=more)


@router.get(
    "/{job_id}", response_model=JobOut, responses=documented(HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY)
)
def show(services: Using, who: Reader, job_id: JobId) -> tables.Job:
    with services.database.read() as session:
        return jobs.get(session, job_id=job_id, tenant=who.tenant)


@router.delete(
    "/{job_id}",
    status_code=204,
    responses=documented(*REFUSED, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
)
def delete(services: Using, who: Writer, job_id: JobId) -> Response:
    """Delete an ended job with its checkpoints and its history."""
    with services.database.write() as session:
        jobs.delete(session, job_id=job_id, tenant=who.tenant)
    services.artifacts.delete(f"jobs/{job_id}")
    return Response(status_code=204)


def _dry_run(services: Services, spec: TrainingSpec, machines: presets.Hardware) -> DryRun:
    remark = presets.remark(spec, machines)
    estimate = services.sampler.estimate(spec)
    seconds = [spec.budget.seconds] if spec.budget.seconds else []
    speed = _flops_per_second(services)
    if speed and spec.budget.images:
        seconds.append(spec.budget.images * estimate.flops_per_image / speed)
    return DryRun(
        spec=spec,
        parameters=Parameters(generator=estimate.generator_parameters, discriminator=estimate.discriminator_parameters),
        estimated_seconds=round(min(seconds), 1) if seconds else None,
        estimated_memory_bytes=estimate.memory_bytes,
        warnings=[*advice.warnings(spec), *([] if remark is None else [remark])],
    )


def _flops_per_second(services: Services) -> float | None:
    """Return the training speed of the newest job that has run on this installation."""
    with services.database.read() as session:
        job = jobs.newest_measured(session)
    if job is None or job.images_per_second is None:
        return None
    return job.images_per_second * services.sampler.estimate(stored.read(job.spec)).flops_per_image


def _labels(request: Request) -> dict[str, str]:
    """Return the metadata to filter by. Raises Problem 422."""
    labels: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name.startswith("metadata[") and name.endswith("]"):
            key = name.removeprefix("metadata[").removesuffix("]")
            if not key or len(key) > 64 or len(value) > 500 or "\0" in key + value or len(labels) >= 32:
                raise invalid(f"query/{name}", "must be metadata[key]=value with at most 64 and 500 characters")
            labels[key] = value
    return labels
