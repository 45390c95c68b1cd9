"""Jobs as clients see and change them: every query, and the changes that a client may ask for."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from store import database, ids, payloads, states, tables
from store.errors import Conflict, NotFound

TRAINING = "training"
"""The kind of job that trains a model. `worker.kinds` lists all kinds."""


@dataclass(frozen=True)
class NewJob:
    """A job to create. `spec` is complete and valid; the store does not look into it."""

    tenant: str
    name: str | None
    dataset: str
    spec: dict[str, Any]
    labels: dict[str, str]
    images_total: int | None
    seconds_total: float | None
    max_attempts: int
    max_seconds: float | None
    keep_latest: int
    keep_best: int
    dataset_id: str | None = None
    """The imported dataset that the job needs. It cannot be deleted before the job has ended."""
    forked_from_job: str | None = None
    forked_from_checkpoint: str | None = None
    kind: str = TRAINING


def create(session: Session, *, new: NewJob, job_id: str | None = None) -> tables.Job:
    """Create a queued job. `job_id`: the id made by a caller that stores files before the row.

    Raises Conflict if the dataset that it needs is gone.
    """
    if new.dataset_id is not None:
        own = (tables.Dataset.id == new.dataset_id, tables.Dataset.tenant == new.tenant)
        ready = select(tables.Dataset.id).where(*own, tables.Dataset.digest.is_not(None))
        if session.scalar(ready.with_for_update()) is None:
            raise Conflict(f"dataset {new.dataset_id} has just been deleted")
    at = states.now(session)
    job = tables.Job(id=job_id or ids.new("job"), status=states.QUEUED, available_at=at, created_at=at, **vars(new))
    session.add(job)
    session.flush()
    states.tell(session, job=job, previous=None)
    database.outbox(session).hints.append(job.id)
    return job


def get(session: Session, *, job_id: str, tenant: str) -> tables.Job:
    """Return a training job of a tenant. Raises NotFound, also for another tenant's job."""
    job = session.scalar(select(tables.Job).where(*_one(job_id, tenant, TRAINING)))
    if job is None:
        raise NotFound(f"no job {job_id}")
    return job


def held(session: Session, *, job_id: str, tenant: str) -> tables.Job:
    """Return a training job of a tenant, none of whose checkpoints is pruned in this transaction. Raises NotFound."""
    return _locked(session, job_id=job_id, tenant=tenant, kind=TRAINING)


def page(
    session: Session,
    *,
    tenant: str,
    limit: int,
    after: str | None,
    status: str | None,
    dataset: str | None,
    labels: dict[str, str],
) -> tuple[list[tables.Job], bool]:
    """Return a page of a tenant's training jobs, newest first, and whether there are more."""
    query = select(tables.Job).where(tables.Job.tenant == tenant, tables.Job.kind == TRAINING)
    if after is not None:
        query = query.where(tables.Job.id < after)
    if status is not None:
        query = query.where(tables.Job.status == status)
    if dataset is not None:
        query = query.where(tables.Job.dataset == dataset)
    for key, value in labels.items():
        query = query.where(_is_labelled(session, key=key, value=value))
    rows = list(session.scalars(query.order_by(tables.Job.id.desc()).limit(limit + 1)))
    return rows[:limit], len(rows) > limit


def _is_labelled(session: Session, *, key: str, value: str) -> ColumnElement[bool]:
    labels = tables.Job.labels
    if session.get_bind().dialect.name == "postgresql":
        matches: ColumnElement[bool] = labels[key].as_string() == value
        return matches
    # A path such as $."clé" is compared with the stored text, where é is an escape, and cannot hold every key.
    label = func.json_each(labels).table_valued("key", "value")
    return select(label.c.key).where(label.c.key == key, label.c.value == value).exists()


def counts(session: Session) -> dict[str, int]:
    """Return the number of jobs in each state."""
    rows = session.execute(select(tables.Job.status, func.count().label("number")).group_by(tables.Job.status))
    return dict.fromkeys(states.STATUSES, 0) | {row.status: row.number for row in rows}


def newest_measured(session: Session) -> tables.Job | None:
    """Return the newest job of kind training whose speed is known."""
    measured = (tables.Job.kind == TRAINING, tables.Job.images_per_second.is_not(None))
    return session.scalar(select(tables.Job).where(*measured).order_by(tables.Job.id.desc()).limit(1))


def cancel(session: Session, *, job_id: str, tenant: str, kind: str = TRAINING) -> tables.Job:
    """Cancel a job for good: at once if no runner holds it, otherwise when its runner has stopped.

    A repetition changes nothing. Raises NotFound; Conflict for a job that has ended otherwise.
    """
    job = _locked(session, job_id=job_id, tenant=tenant, kind=kind)
    if job.status in states.ENDED - {states.CANCELLED}:
        raise Conflict(f"job {job_id} is {job.status}: it has ended, there is nothing to cancel")
    _stop(session, job=job, stopping=states.CANCELLING, stopped=states.CANCELLED, reason=states.CANCELLED_BY_CLIENT)
    return job


def pause(session: Session, *, job_id: str, tenant: str, kind: str = TRAINING) -> tables.Job:
    """Pause a job: at once if no runner holds it, otherwise when its runner has saved its state.

    A repetition changes nothing. Raises NotFound; Conflict for a job that has ended or is being cancelled.
    """
    job = _locked(session, job_id=job_id, tenant=tenant, kind=kind)
    if job.status in states.ENDED | {states.CANCELLING}:
        raise Conflict(f"job {job_id} is {job.status}: only a queued or running job can be paused")
    _stop(session, job=job, stopping=states.PAUSING, stopped=states.PAUSED, reason=states.PAUSED_BY_CLIENT)
    return job


def resume(session: Session, *, job_id: str, tenant: str, kind: str = TRAINING) -> tables.Job:
    """Queue a paused job, to go on where it stood. Raises NotFound; Conflict for a job that is not paused."""
    job = _locked(session, job_id=job_id, tenant=tenant, kind=kind)
    if job.status != states.PAUSED:
        wait = "resume it once it is paused" if job.status == states.PAUSING else "only a paused job can be resumed"
        raise Conflict(f"job {job_id} is {job.status}: {wait}")
    states.enqueue(session, job=job, reason=payloads.Reason("resumed", "resumed by the client"))
    return job


def retry(session: Session, *, job_id: str, tenant: str, kind: str = TRAINING) -> tables.Job:
    """Queue a job that failed or diverged, to go on from its newest checkpoint.

    Its crashes and its time are counted from 0 again. `attempt`, which fences writes, counts on.

    Raises NotFound; Conflict for any other job.
    """
    job = _locked(session, job_id=job_id, tenant=tenant, kind=kind)
    if job.status not in {states.FAILED, states.DIVERGED}:
        raise Conflict(f"job {job_id} is {job.status}: only a failed or diverged job can be tried again")
    job.crashes, job.seconds_run = 0, 0.0
    states.enqueue(session, job=job, reason=payloads.Reason("retried", "tried again by the client"))
    return job


def delete(session: Session, *, job_id: str, tenant: str, kind: str = TRAINING) -> None:
    """Delete an ended job; the caller deletes its artifacts after the commit. Raises NotFound, Conflict."""
    job = _locked(session, job_id=job_id, tenant=tenant, kind=kind)
    if job.status not in states.ENDED:
        raise Conflict(f"job {job_id} is {job.status}: cancel it first, an ended job can be deleted")
    session.delete(job)


def _stop(session: Session, *, job: tables.Job, stopping: str, stopped: str, reason: payloads.Reason) -> None:
    """Move a job to the state in which its runner stops, and on to the next if it has no runner."""
    if job.status in {stopping, stopped}:
        return
    held = job.status in states.HELD
    states.move(session, job=job, status=stopping, reason=reason)
    if not held:
        states.move(session, job=job, status=stopped, reason=reason)


def _one(job_id: str, tenant: str, kind: str) -> tuple[ColumnElement[bool], ...]:
    return tables.Job.id == job_id, tables.Job.tenant == tenant, tables.Job.kind == kind


def _locked(session: Session, *, job_id: str, tenant: str, kind: str) -> tables.Job:
    job = session.scalar(select(tables.Job).where(*_one(job_id, tenant, kind)).with_for_update())
    if job is None:
        raise NotFound(f"no job {job_id}")
    return job
