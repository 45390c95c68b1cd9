"""Jobs: every query and every change of state. Nothing else assigns a status.

A runner holds a job by its `attempt`. Each of its writes names the attempt and changes nothing once another owns the
job: it raises LeaseLost instead. A client's writes are checked against the state.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from store import database, events, ids, tables
from store.errors import Conflict, LeaseLost, NotFound

QUEUED, RUNNING, CANCELLING = "queued", "running", "cancelling"
SUCCEEDED, DIVERGED, FAILED, CANCELLED = "succeeded", "diverged", "failed", "cancelled"

TRANSITIONS: dict[str, frozenset[str]] = {
    QUEUED: frozenset({RUNNING, CANCELLING, FAILED}),
    RUNNING: frozenset({QUEUED, CANCELLING, SUCCEEDED, DIVERGED, FAILED}),
    CANCELLING: frozenset({CANCELLED}),
    SUCCEEDED: frozenset(),
    DIVERGED: frozenset(),
    FAILED: frozenset(),
    CANCELLED: frozenset(),
}
STATUSES = tuple(TRANSITIONS)
ENDED = frozenset(status for status, nexts in TRANSITIONS.items() if not nexts)
HELD = frozenset({RUNNING, CANCELLING})
"""The states in which a runner may hold the job."""


@dataclass(frozen=True)
class Reason:
    code: str
    message: str


@dataclass(frozen=True)
class NewJob:
    """What a client asked for. `spec` is complete and valid; the store does not look into it."""

    tenant: str
    name: str | None
    dataset: str
    spec: dict[str, Any]
    labels: dict[str, str]
    images_total: int | None
    seconds_total: float | None
    keep_latest: int
    keep_best: int


# Clients


def create(session: Session, *, new: NewJob) -> tables.Job:
    at = _now(session)
    job = tables.Job(id=ids.new("job"), status=QUEUED, available_at=at, created_at=at, **vars(new))
    session.add(job)
    session.flush()
    _tell(session, job=job, previous=None)
    database.outbox(session).hints.append(job.id)
    return job


def get(session: Session, *, job_id: str, tenant: str) -> tables.Job:
    """Raises NotFound, also for another tenant's job."""
    job = session.scalar(select(tables.Job).where(tables.Job.id == job_id, tables.Job.tenant == tenant))
    if job is None:
        raise NotFound(f"no job {job_id}")
    return job


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
    """Newest first, and whether there are more."""
    query = select(tables.Job).where(tables.Job.tenant == tenant)
    if after is not None:
        query = query.where(tables.Job.id < after)
    if status is not None:
        query = query.where(tables.Job.status == status)
    if dataset is not None:
        query = query.where(tables.Job.dataset == dataset)
    for key, value in labels.items():
        query = query.where(tables.Job.labels[key].as_string() == value)
    rows = list(session.scalars(query.order_by(tables.Job.id.desc()).limit(limit + 1)))
    return rows[:limit], len(rows) > limit


def counts(session: Session) -> dict[str, int]:
    """How many jobs are in each state."""
    rows = session.execute(select(tables.Job.status, func.count().label("number")).group_by(tables.Job.status))
    return dict.fromkeys(STATUSES, 0) | {row.status: row.number for row in rows}


def newest_measured(session: Session) -> tables.Job | None:
    """The newest job of which the training speed is known."""
    query = select(tables.Job).where(tables.Job.images_per_second.is_not(None)).order_by(tables.Job.id.desc())
    return session.scalar(query.limit(1))


def cancel(session: Session, *, job_id: str, tenant: str) -> tables.Job:
    """A queued job is cancelled at once; a running one when its runner has stopped. A second cancel changes nothing.

    Raises NotFound; Conflict for a job that has ended otherwise.
    """
    job = _locked(session, job_id=job_id, tenant=tenant)
    if job.status in {CANCELLING, CANCELLED}:
        return job
    held = job.status == RUNNING
    _move(session, job=job, status=CANCELLING, reason=Reason("cancelled", "cancelled by the client"))
    if not held:
        _move(session, job=job, status=CANCELLED, reason=Reason("cancelled", "cancelled by the client"))
    return job


def delete(session: Session, *, job_id: str, tenant: str) -> None:
    """Forgets an ended job; the caller removes its artifacts after the commit. Raises NotFound, Conflict."""
    job = _locked(session, job_id=job_id, tenant=tenant)
    if job.status not in ENDED:
        raise Conflict(f"job {job_id} is {job.status}: cancel it first, an ended job can be deleted")
    session.delete(job)


# Runners


def claim(session: Session, *, job_id: str, owner: str, lease_seconds: float) -> tables.Job | None:
    """Takes a queued job that is due; None where there is nothing to take. One of several claimants wins."""
    taken = session.scalar(
        update(tables.Job)
        .where(tables.Job.id == job_id, tables.Job.status == QUEUED, tables.Job.available_at <= database.now())
        .values(attempt=tables.Job.attempt + 1)
        .returning(tables.Job.id)
        .execution_options(synchronize_session=False)
    )
    if taken is None:
        return None
    job = session.get_one(tables.Job, taken, populate_existing=True)
    at = _now(session)
    job.lease_owner, job.lease_until, job.progress_at = owner, at + lease_seconds, at
    job.started_at = job.started_at or at
    _move(session, job=job, status=RUNNING, reason=None)
    return job


def renew(session: Session, *, job_id: str, attempt: int, lease_seconds: float) -> tables.Job:
    """Prolongs the lease and says how the job stands. Raises LeaseLost."""
    job = _held(session, job_id=job_id, attempt=attempt)
    job.lease_until = _now(session) + lease_seconds
    return job


def look(session: Session, *, job_id: str, attempt: int) -> tables.Job:
    """How the job stands, ended perhaps by this very attempt, without a write. Raises LeaseLost."""
    job = session.get(tables.Job, job_id)
    if job is None or job.attempt != attempt or job.status == QUEUED:
        raise LeaseLost(f"job {job_id} is no longer held by attempt {attempt}")
    return job


def renew_progress(session: Session, *, job_id: str, attempt: int) -> tables.Job:
    """Notes that the runner gets on. Raises LeaseLost."""
    job = _held(session, job_id=job_id, attempt=attempt)
    job.progress_at = _now(session)
    return job


def record_tick(
    session: Session,
    *,
    job_id: str,
    attempt: int,
    images_seen: int,
    seconds_trained: float,
    values: dict[str, float],
) -> None:
    """A point of the training series, and the progress that it shows. Raises LeaseLost."""
    job = renew_progress(session, job_id=job_id, attempt=attempt)
    job.images_seen, job.seconds_trained = images_seen, seconds_trained
    job.images_per_second = values.get("images_per_second", job.images_per_second)
    events.record_tick(session, job_id=job_id, images_seen=images_seen, values=values)


def record_event(
    session: Session, *, job_id: str, attempt: int, kind: str, images_seen: int, data: dict[str, Any]
) -> None:
    """What a runner has to tell beside its ticks. Raises LeaseLost."""
    renew_progress(session, job_id=job_id, attempt=attempt)
    events.append(session, job_id=job_id, kind=kind, data=data, images_seen=images_seen)


def finish(session: Session, *, job_id: str, attempt: int, status: str, reason: Reason | None) -> tables.Job:
    """Ends a job, by its runner. A cancel that came first wins. Raises LeaseLost."""
    job = _held(session, job_id=job_id, attempt=attempt)
    if job.status == CANCELLING:
        status, reason = CANCELLED, Reason("cancelled", "cancelled by the client")
    _move(session, job=job, status=status, reason=reason)
    return job


def give_back(session: Session, *, job_id: str, attempt: int, reason: Reason) -> tables.Job:
    """The runner stops in good order (a restart of its machine): requeued, nothing charged. Raises LeaseLost."""
    job = _held(session, job_id=job_id, attempt=attempt)
    _requeue(session, job=job, reason=reason, wait_seconds=0)
    return job


def crash(
    session: Session, *, job_id: str, attempt: int, reason: Reason, max_crashes: int, backoff_seconds: float
) -> tables.Job:
    """The runner's process died: again after a wait, or failed after so many crashes. Raises LeaseLost."""
    job = _held(session, job_id=job_id, attempt=attempt)
    _charge(session, job=job, reason=reason, max_crashes=max_crashes, backoff_seconds=backoff_seconds)
    return job


# The reconciler


def recover_lost(session: Session, *, max_crashes: int, backoff_seconds: float) -> list[tables.Job]:
    """Frees the jobs whose lease has run out: their runner is dead, frozen or cut off."""
    query = select(tables.Job).where(tables.Job.status.in_(HELD), tables.Job.lease_until < database.now())
    lost = list(session.scalars(query.with_for_update(skip_locked=True)))
    for job in lost:
        reason = Reason("worker_lost", f"the worker {job.lease_owner} stopped renewing its lease")
        _charge(session, job=job, reason=reason, max_crashes=max_crashes, backoff_seconds=backoff_seconds)
    return lost


def due(session: Session, *, limit: int) -> list[str]:
    """The queued jobs that may be claimed now, oldest first."""
    query = select(tables.Job.id).where(tables.Job.status == QUEUED, tables.Job.available_at <= database.now())
    return list(session.scalars(query.order_by(tables.Job.id).limit(limit)))


# States


def _move(session: Session, *, job: tables.Job, status: str, reason: Reason | None) -> None:
    if status not in TRANSITIONS[job.status]:
        raise Conflict(f"job {job.id} is {job.status}: it cannot become {status}")
    previous, job.status = job.status, status
    job.reason_code, job.reason_message = (reason.code, reason.message) if reason else (None, None)
    if status not in HELD:
        job.lease_owner = job.lease_until = None
    if status in ENDED:
        job.ended_at = _now(session)
    session.flush()
    _tell(session, job=job, previous=previous)


def _requeue(session: Session, *, job: tables.Job, reason: Reason, wait_seconds: float) -> None:
    if job.status == CANCELLING:
        _move(session, job=job, status=CANCELLED, reason=Reason("cancelled", "cancelled by the client"))
        return
    job.available_at = _now(session) + wait_seconds
    _move(session, job=job, status=QUEUED, reason=reason)
    if wait_seconds == 0:
        database.outbox(session).hints.append(job.id)


def _charge(session: Session, *, job: tables.Job, reason: Reason, max_crashes: int, backoff_seconds: float) -> None:
    job.crashes += 1
    if job.crashes >= max_crashes and job.status == RUNNING:
        message = f"{reason.message} (given up after {job.crashes} crashes)"
        _move(session, job=job, status=FAILED, reason=Reason(reason.code, message))
    else:
        _requeue(session, job=job, reason=reason, wait_seconds=min(backoff_seconds * 2 ** (job.crashes - 1), 600))


def _tell(session: Session, *, job: tables.Job, previous: str | None) -> None:
    reason = {"code": job.reason_code, "message": job.reason_message} if job.reason_code else None
    data = {"status": job.status, "previous": previous, "reason": reason, "attempt": job.attempt}
    events.append(session, job_id=job.id, kind="state", data=data)


def _locked(session: Session, *, job_id: str, tenant: str) -> tables.Job:
    query = select(tables.Job).where(tables.Job.id == job_id, tables.Job.tenant == tenant)
    job = session.scalar(query.with_for_update())
    if job is None:
        raise NotFound(f"no job {job_id}")
    return job


def _held(session: Session, *, job_id: str, attempt: int) -> tables.Job:
    job = session.scalar(select(tables.Job).where(tables.Job.id == job_id, _holds(attempt)).with_for_update())
    if job is None:
        raise LeaseLost(f"job {job_id} is no longer held by attempt {attempt}")
    return job


def _holds(attempt: int) -> ColumnElement[bool]:
    return (tables.Job.attempt == attempt) & tables.Job.status.in_(HELD)


def _now(session: Session) -> float:
    return session.execute(select(database.now())).scalar_one()
