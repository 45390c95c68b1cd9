"""/v1/evaluations: figures of checkpoints, measured by the workers under a stated protocol."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from pydantic import ValidationError
from sqlalchemy.orm import Session

from api.http import idempotency, ids, openapi, pages, png
from api.http.access import Principal, Reader, Using, Writer
from api.http.answers import Answer, Instant
from api.http.body import JsonBody, json_body
from api.http.errors import BODY, REFUSED, documented, invalid, invalid_spec, not_found
from api.http.idempotency import IdempotencyKey
from api.http.ids import EvaluationId
from api.http.pages import Page
from models.specs import DatasetFacts, TrainingSpec, figures, stored
from models.specs.evaluations import CompleteProtocol, Figure, Protocol, Wish
from models.specs.figures import Metric
from store import checkpoints, evaluations, jobs, states, tables
from store import idempotency as stored_answers
from store.errors import Conflict
from store.evaluations import NewEvaluation

router = APIRouter(prefix="/v1/evaluations", tags=["evaluations"])
OTHERWISE: tuple[Metric, ...] = ("kid", "fd64", "precision_recall")
"""Metrics for a dataset of which presets measure nothing."""
EXAMPLE = {"job": ids.EXAMPLE_JOB, "metrics": ["kid", "fd64"], "protocol": {"samples": 10_000}}


class Reason(Answer):
    code: str
    message: str


class Progress(Answer):
    images: int
    """Samples that were looked at."""
    images_total: int
    fraction: float


class EvaluationOut(Answer):
    id: str
    status: str
    """A job's: queued, running, succeeded, failed, cancelled …"""
    reason: Reason | None
    progress: Progress
    job: str
    checkpoint: str
    images_seen: int
    metrics: list[str]
    figures: dict[str, Figure] | None
    """Null until the evaluation has succeeded."""
    unavailable: dict[str, str] | None
    """Why a metric could not be measured, by its name."""
    wish: Protocol
    """The protocol as it was asked for."""
    protocol: CompleteProtocol | None
    """The protocol as it was carried out, with digests. Null until the evaluation has succeeded."""
    nearest: str | None
    """The address of a picture: the samples nearest to training images. Null where memorisation was not measured."""
    created_at: Instant
    ended_at: Instant | None


@router.post(
    "",
    status_code=202,
    response_model=EvaluationOut,
    responses={
        **documented(*BODY, *REFUSED, HTTPStatus.CONFLICT, HTTPStatus.NOT_FOUND),
        202: {"description": "Accepted: a worker will measure", "headers": openapi.LOCATION},
    },
    openapi_extra=openapi.body_of(Wish, example=EXAMPLE),
)
def create(
    services: Using,
    who: Writer,
    body: Annotated[JsonBody, Depends(json_body)],
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Evaluate a checkpoint, or a job's best one."""
    try:
        wish = Wish.model_validate(body.data)
    except ValidationError as error:
        raise invalid_spec(error, body.data) from error

    def make(session: Session) -> tables.Evaluation:
        job, subject = _subject(session, wish, who)
        spec = stored.read(job.spec)
        new = NewEvaluation(
            tenant=who.tenant,
            subject=subject,
            dataset=spec.dataset.name,
            dataset_id=spec.dataset.id if spec.dataset.kind == "uploaded" else None,
            metrics=list(_metrics(wish, spec)),
            protocol=wish.protocol.model_dump(mode="json"),
        )
        return evaluations.create(session, new=new)

    answer, _ = idempotency.create(
        services, who, key=idempotency_key, fingerprint=body.fingerprint, make=make, answer=_accepted
    )
    return answer


@router.get("", response_model=Page[EvaluationOut], responses=documented(HTTPStatus.UNPROCESSABLE_ENTITY))
def index(
    services: Using,
    who: Reader,
    limit: pages.Limit = 20,
    after: Annotated[str | None, pages.after("eval")] = None,
    job: Annotated[str | None, Query(pattern=ids.pattern("job"), description="Only of this job")] = None,
) -> Page[EvaluationOut]:
    """List your evaluations, newest first."""
    with services.database.read() as session:
        rows, more = evaluations.page(session, tenant=who.tenant, limit=limit, after=after, subject_job=job)
    return _page(rows, more=more)


@router.get(
    "/{evaluation_id}",
    response_model=EvaluationOut,
    responses=documented(HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY),
)
def show(services: Using, who: Reader, evaluation_id: EvaluationId) -> EvaluationOut:
    with services.database.read() as session:
        return out(evaluations.get(session, evaluation_id=evaluation_id, tenant=who.tenant))


@router.get(
    "/{evaluation_id}/nearest.png",
    response_class=Response,
    responses={**documented(HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY), **png.described("Pairs")},
)
def nearest(services: Using, who: Reader, evaluation_id: EvaluationId) -> Response:
    """Show the samples that are nearest to training images, each above its image, nearest first."""
    with services.database.read() as session:
        path = evaluations.get(session, evaluation_id=evaluation_id, tenant=who.tenant).nearest
    missing = not_found(f"{evaluation_id} has no picture of nearest pairs: ask for the metric memorisation")
    if path is None:
        raise missing
    try:
        with services.artifacts.open(path, evaluations.NEAREST) as file:
            return png.answer(file.read())
    except FileNotFoundError as error:
        raise missing from error


@router.post(
    "/{evaluation_id}/cancel",
    response_model=EvaluationOut,
    responses=documented(*REFUSED, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
)
def cancel(services: Using, who: Writer, evaluation_id: EvaluationId) -> EvaluationOut:
    with services.database.write() as session:
        return out(evaluations.cancel(session, evaluation_id=evaluation_id, tenant=who.tenant))


def _subject(session: Session, wish: Wish, who: Principal) -> tuple[tables.Job, tables.Checkpoint]:
    """Return the checkpoint to evaluate, and its job. Raises NotFound, Conflict."""
    job_id = wish.job
    if wish.checkpoint is not None:
        job_id = checkpoints.job_of(session, checkpoint_id=wish.checkpoint, tenant=who.tenant)
    assert job_id is not None
    job = jobs.held(session, job_id=job_id, tenant=who.tenant)
    chosen = wish.checkpoint or job.best_checkpoint or job.latest_checkpoint
    if chosen is None:
        raise Conflict(f"job {job.id} has no checkpoint yet")
    return job, checkpoints.get(session, job_id=job.id, checkpoint_id=chosen)


def _metrics(wish: Wish, spec: TrainingSpec) -> Sequence[Metric]:
    """Return the metrics to measure. Raises Problem 422 for one that the dataset does not suit."""
    facts = spec.dataset.facts
    if wish.protocol.extractor == "garments" and facts.features != "garments":
        raise invalid("/protocol/extractor", f"garments sees 28x28 grey garments alone, not {spec.dataset.name}")
    for place, metric in enumerate(wish.metrics):
        if not figures.REGISTRY[metric].suits(facts):
            raise invalid(f"/metrics/{place}", f"{spec.dataset.name} has {figures.REGISTRY[metric].lacks} for {metric}")
    return wish.metrics or figures.usual(facts) or _suited(facts)


def _suited(facts: DatasetFacts) -> Sequence[Metric]:
    return [metric for metric in OTHERWISE if figures.REGISTRY[metric].suits(facts)]


def _accepted(row: tables.Evaluation) -> stored_answers.Answer:
    location = f"/v1/evaluations/{row.id}"
    return stored_answers.Answer(status=202, location=location, body=out(row).model_dump_json())


def _page(rows: Sequence[tables.Evaluation], *, more: bool) -> Page[EvaluationOut]:
    return Page(data=[out(row) for row in rows], has_more=more, next=rows[-1].id if more else None)


def _progress(job: tables.Job) -> Progress:
    total = job.images_total or 1
    seen = total if job.status == states.SUCCEEDED else job.images_seen
    return Progress(images=seen, images_total=total, fraction=seen / total)


def out(row: tables.Evaluation) -> EvaluationOut:
    """Return the answer that describes an evaluation."""
    job = row.job
    values: dict[str, Any] = {
        "id": row.id,
        "status": job.status,
        "reason": {"code": job.reason_code, "message": job.reason_message or ""} if job.reason_code else None,
        "progress": _progress(job),
        "job": row.subject_job,
        "checkpoint": row.subject_checkpoint,
        "images_seen": row.images_seen,
        "metrics": row.metrics,
        "figures": row.figures,
        "unavailable": row.unavailable,
        "wish": row.wish,
        "protocol": row.protocol,
        "nearest": None if row.nearest is None else f"/v1/evaluations/{row.id}/nearest.png",
        "created_at": row.created_at,
        "ended_at": job.ended_at,
    }
    return EvaluationOut.model_validate(values)
