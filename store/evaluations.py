"""Evaluations of checkpoints: a row each, beside the job that measures. The job's status says how it stands."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from store import ids, jobs, runs, states, tables
from store.errors import NotFound
from store.jobs import NewJob
from store.payloads import Reason

NEAREST = "nearest.png"
"""The name of the picture of the nearest pairs within its artifact."""
EVALUATION = "evaluation"
"""The kind of job that evaluates a checkpoint."""
MOST_ATTEMPTS = 3


@dataclass(frozen=True)
class NewEvaluation:
    """An evaluation to make. `metrics` and `protocol` are valid for the job's dataset."""

    tenant: str
    subject: tables.Checkpoint
    dataset: str
    dataset_id: str | None
    metrics: list[str]
    protocol: dict[str, Any]


def create(session: Session, *, new: NewEvaluation) -> tables.Evaluation:
    """Create an evaluation and the job that makes it. Raises Conflict if its dataset is gone."""
    job = jobs.create(
        session,
        new=NewJob(
            tenant=new.tenant,
            name=None,
            dataset=new.dataset,
            spec={"checkpoint": new.subject.id},
            labels={},
            images_total=int(new.protocol["samples"]),
            seconds_total=None,
            max_attempts=MOST_ATTEMPTS,
            max_seconds=None,
            keep_latest=1,
            keep_best=0,
            dataset_id=new.dataset_id,
            kind=EVALUATION,
        ),
    )
    row = tables.Evaluation(
        id=ids.new("eval"),
        tenant=new.tenant,
        subject_job=new.subject.job_id,
        subject_checkpoint=new.subject.id,
        images_seen=new.subject.images_seen,
        metrics=new.metrics,
        wish=new.protocol,
        job=job,
        created_at=states.now(session),
    )
    session.add(row)
    session.flush()
    return row


def get(session: Session, *, evaluation_id: str, tenant: str) -> tables.Evaluation:
    """Return an evaluation of a tenant. Raises NotFound, also for another tenant's."""
    own = (tables.Evaluation.id == evaluation_id, tables.Evaluation.tenant == tenant)
    if (row := session.scalar(select(tables.Evaluation).where(*own))) is None:
        raise NotFound(f"no evaluation {evaluation_id}")
    return row


def page(
    session: Session, *, tenant: str, limit: int, after: str | None, subject_job: str | None
) -> tuple[list[tables.Evaluation], bool]:
    """Return a page of a tenant's evaluations, newest first, and whether there are more."""
    query = select(tables.Evaluation).where(tables.Evaluation.tenant == tenant)
    if after is not None:
        query = query.where(tables.Evaluation.id < after)
    if subject_job is not None:
        query = query.where(tables.Evaluation.subject_job == subject_job)
    rows = list(session.scalars(query.order_by(tables.Evaluation.id.desc()).limit(limit + 1)))
    return rows[:limit], len(rows) > limit


def of_job(session: Session, *, job_id: str) -> tables.Evaluation:
    """Return the evaluation that a job makes."""
    return session.scalars(select(tables.Evaluation).where(tables.Evaluation.job_id == job_id)).one()


def subject(session: Session, *, evaluation: tables.Evaluation) -> tables.Checkpoint | None:
    """Return the checkpoint to evaluate; None if it has been removed."""
    return session.get(tables.Checkpoint, evaluation.subject_checkpoint)


def complete(
    session: Session,
    *,
    job_id: str,
    attempt: int,
    figures: dict[str, Any],
    unavailable: dict[str, Any],
    protocol: dict[str, Any],
    nearest: str | None,
    reason: Reason,
) -> tables.Evaluation:
    """Record the figures and end the job, unless a cancel came first. Raises LeaseLost."""
    job = runs.finish(session, job_id=job_id, attempt=attempt, status=states.SUCCEEDED, reason=reason)
    row = of_job(session, job_id=job_id)
    if job.status == states.SUCCEEDED:
        row.figures, row.unavailable, row.protocol = figures, unavailable, protocol
        row.nearest = nearest
    return row


def paths(session: Session) -> set[str]:
    """Return the keys of all pictures."""
    return set(session.scalars(select(tables.Evaluation.nearest).where(tables.Evaluation.nearest.is_not(None))))


def cancel(session: Session, *, evaluation_id: str, tenant: str) -> tables.Evaluation:
    """Cancel an evaluation. Raises NotFound; Conflict if it has ended otherwise."""
    row = get(session, evaluation_id=evaluation_id, tenant=tenant)
    jobs.cancel(session, job_id=row.job_id, tenant=tenant, kind=EVALUATION)
    return row
