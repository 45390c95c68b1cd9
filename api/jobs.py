"""/v1/jobs: create, list, look at and delete training jobs."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from pydantic import ValidationError
from sqlalchemy.orm import Session

from api import openapi, pages
from api.access import Principal, Reader, Using, Writer
from api.body import JsonBody, json_body
from api.errors import documented, invalid, invalid_spec
from api.schemas import DryRun, JobOut, Page, Parameters
from api.services import Services
from models import presets
from models.specs import TrainingSpec, advice, stored
from store import idempotency, ids, jobs, states, tables

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])
PATTERN = f"^job_{ids.PATTERN}$"
JobId = Annotated[str, Path(description="A job's id", pattern=PATTERN, examples=[openapi.JOB_ID])]
IdempotencyKey = Annotated[
    str | None,
    Header(min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$", description="The same key: the same answer"),
]
BODY = (HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
REFUSED = (HTTPStatus.FORBIDDEN, HTTPStatus.UNPROCESSABLE_ENTITY)


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
    request: Request,
    services: Using,
    who: Writer,
    body: Annotated[JsonBody, Depends(json_body)],
    dry_run: Annotated[bool, Query(description="Only say what would run")] = False,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Start a training job. Any part of a spec will do: the preset fills in the rest."""
    try:
        spec = presets.resolve(body.data)
    except ValidationError as error:
        raise invalid_spec(error, body.data) from error
    if dry_run:
        return _json(_dry_run(services, spec))
    new = new_job(spec, tenant=who.tenant)
    answer, _ = answer_once(
        services,
        who,
        key=idempotency_key,
        fingerprint=body.fingerprint,
        create=lambda session: jobs.create(session, new=new),
    )
    return created(answer)


@router.get("", response_model=Page[JobOut], responses=documented(HTTPStatus.UNPROCESSABLE_ENTITY))
def index(
    request: Request,
    services: Using,
    who: Reader,
    limit: pages.Limit = 20,
    after: Annotated[
        str | None, Query(pattern=f"^job_{ids.PATTERN}$", description="The `next` of the page before")
    ] = None,
    status: Annotated[str | None, Query(pattern=f"^({'|'.join(states.STATUSES)})$")] = None,
    dataset: Annotated[str | None, Query(max_length=100, pattern=r"^[^\x00]*$")] = None,
) -> Page[JobOut]:
    """Your jobs, newest first. `metadata[key]=value` filters by the client's metadata."""
    labels = _labels(request)
    with services.database.read() as session:
        rows, more = jobs.page(
            session, tenant=who.tenant, limit=limit, after=after, status=status, dataset=dataset, labels=labels
        )
    return Page(data=[JobOut.of(row) for row in rows], has_more=more, next=rows[-1].id if more else None)


@router.get(
    "/{job_id}", response_model=JobOut, responses=documented(HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY)
)
def show(services: Using, who: Reader, job_id: JobId) -> JobOut:
    with services.database.read() as session:
        return JobOut.of(jobs.get(session, job_id=job_id, tenant=who.tenant))


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


def answer_once(
    services: Services,
    who: Principal,
    *,
    key: str | None,
    fingerprint: str,
    create: Callable[[Session], tables.Job],
) -> tuple[idempotency.Answer, bool]:
    """Creates a job in a transaction, or finds the answer that the key got before; and whether it was found."""
    with services.database.write() as session:
        if key is not None:
            earlier = idempotency.reserve(session, tenant=who.tenant, key=key, fingerprint=fingerprint)
            if earlier is not None:
                return earlier, True
        job = create(session)
        answer = idempotency.Answer(status=202, location=f"/v1/jobs/{job.id}", body=JobOut.of(job).model_dump_json())
        if key is not None:
            idempotency.fulfil(session, tenant=who.tenant, key=key, answer=answer)
    return answer, False


def new_job(spec: TrainingSpec, *, tenant: str, forked_from: tables.Checkpoint | None = None) -> jobs.NewJob:
    return jobs.NewJob(
        tenant=tenant,
        name=spec.name,
        dataset=spec.dataset.name,
        spec=spec.model_dump(mode="json"),
        labels=dict(spec.metadata),
        images_total=spec.budget.images,
        seconds_total=spec.budget.seconds,
        keep_latest=spec.checkpoint.keep_latest,
        keep_best=spec.checkpoint.keep_best,
        max_attempts=spec.max_attempts,
        max_seconds=spec.max_seconds,
        forked_from_job=forked_from.job_id if forked_from else None,
        forked_from_checkpoint=forked_from.id if forked_from else None,
    )


def _dry_run(services: Using, spec: TrainingSpec) -> DryRun:
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
        warnings=advice.warnings(spec),
    )


def _flops_per_second(services: Using) -> float | None:
    """The speed at which the newest job that ran on this installation was trained."""
    with services.database.read() as session:
        job = jobs.newest_measured(session)
    if job is None or job.images_per_second is None:
        return None
    return job.images_per_second * services.sampler.estimate(stored.read(job.spec)).flops_per_image


def _labels(request: Request) -> dict[str, str]:
    labels: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name.startswith("metadata[") and name.endswith("]"):
            key = name.removeprefix("metadata[").removesuffix("]")
            if not key or len(key) > 64 or len(value) > 500 or "\0" in key + value or len(labels) >= 32:
                raise invalid(f"query/{name}", "must be metadata[key]=value with at most 64 and 500 characters")
            labels[key] = value
    return labels


def created(answer: idempotency.Answer) -> Response:
    headers = {"Location": answer.location}
    return Response(answer.body, status_code=answer.status, headers=headers, media_type="application/json")


def _json(model: Any) -> Response:
    return Response(orjson.dumps(model.model_dump(mode="json")), media_type="application/json")
