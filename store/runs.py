"""Runs: how jobs are claimed and held, what their runners write, and how they come free.

A runner holds a job by its `attempt`. Each of its writes names the attempt and changes nothing once another owns the
job: it raises LeaseLost instead.
"""

from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from store import database, events, states, tables
from store.errors import LeaseLost
from store.states import Reason

LONGEST_WAIT_SECONDS = 600.0


def claim(session: Session, *, job_id: str, owner: str, lease_seconds: float) -> tables.Job | None:
    """Takes a queued job that is due; None where there is nothing to take. One of several claimants wins.

    An owner that runs one job at a time may ask again when it has heard no answer: the job that it holds is its own.
    """
    taken = session.scalar(
        update(tables.Job)
        .where(tables.Job.id == job_id, tables.Job.status == states.QUEUED, tables.Job.available_at <= database.now())
        .values(attempt=tables.Job.attempt + 1)
        .returning(tables.Job.id)
        .execution_options(synchronize_session=False)
    )
    at = states.now(session)
    if taken is None:
        mine = (tables.Job.id == job_id, tables.Job.status == states.RUNNING, tables.Job.lease_owner == owner)
        held = session.scalar(select(tables.Job).where(*mine).with_for_update())
        if held is not None:
            held.lease_until = at + lease_seconds
        return held
    job = session.get_one(tables.Job, taken, populate_existing=True)
    job.lease_owner, job.lease_until = owner, at + lease_seconds
    job.progress_at = job.held_since = at
    job.started_at = job.started_at or at
    states.move(session, job=job, status=states.RUNNING, reason=None)
    return job


def renew(session: Session, *, job_id: str, attempt: int, lease_seconds: float) -> tables.Job:
    """Prolongs the lease and says how the job stands. Raises LeaseLost."""
    job = _held(session, job_id=job_id, attempt=attempt)
    job.lease_until = states.now(session) + lease_seconds
    return job


def look(session: Session, *, job_id: str, attempt: int) -> tables.Job:
    """How the job stands, ended perhaps by this very attempt, without a write. Raises LeaseLost."""
    job = session.get(tables.Job, job_id)
    if job is None or job.attempt != attempt or job.status == states.QUEUED:
        raise LeaseLost(f"job {job_id} is no longer held by attempt {attempt}")
    return job


def renew_progress(session: Session, *, job_id: str, attempt: int) -> tables.Job:
    """Notes that the runner gets on. Raises LeaseLost."""
    job = _held(session, job_id=job_id, attempt=attempt)
    job.progress_at = states.now(session)
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


def finish(session: Session, *, job_id: str, attempt: int, status: str, reason: Reason) -> tables.Job:
    """Ends a job, by its runner. A cancel that came first wins. Raises LeaseLost."""
    job = _held(session, job_id=job_id, attempt=attempt)
    if job.status == states.CANCELLING:
        status, reason = states.CANCELLED, states.CANCELLED_BY_CLIENT
    states.move(session, job=job, status=status, reason=reason)
    return job


def suspend(session: Session, *, job_id: str, attempt: int, reason: Reason) -> tables.Job:
    """The runner cannot go on until a client has seen to something, and pauses the job. Raises LeaseLost."""
    job = _held(session, job_id=job_id, attempt=attempt)
    if job.status == states.RUNNING:
        states.move(session, job=job, status=states.PAUSING, reason=reason)
    _set_free(session, job=job, reason=reason)
    return job


def give_back(session: Session, *, job_id: str, attempt: int, reason: Reason) -> tables.Job:
    """The runner has stopped in good order: for a pause, a cancel or, requeued, a restart of its machine. Nothing is
    charged. Raises LeaseLost.
    """
    job = _held(session, job_id=job_id, attempt=attempt)
    _set_free(session, job=job, reason=reason)
    return job


def crash(session: Session, *, job_id: str, attempt: int, reason: Reason, backoff_seconds: float) -> tables.Job:
    """The runner's process died: again after a wait, or failed after as many crashes as the job may have attempts.

    Raises LeaseLost.
    """
    job = _held(session, job_id=job_id, attempt=attempt)
    _charge(session, job=job, reason=reason, backoff_seconds=backoff_seconds)
    return job


def recover_lost(session: Session, *, backoff_seconds: float) -> list[tables.Job]:
    """Frees the jobs whose lease has run out: their runner is dead, frozen or cut off."""
    query = select(tables.Job).where(tables.Job.status.in_(states.HELD), tables.Job.lease_until < database.now())
    lost = list(session.scalars(query.with_for_update(skip_locked=True)))
    for job in lost:
        reason = Reason("worker_lost", f"the worker {job.lease_owner} stopped renewing its lease")
        _charge(session, job=job, reason=reason, backoff_seconds=backoff_seconds)
    return lost


def due(session: Session, *, limit: int) -> list[str]:
    """The queued jobs that may be claimed now, oldest first."""
    query = select(tables.Job.id).where(tables.Job.status == states.QUEUED, tables.Job.available_at <= database.now())
    return list(session.scalars(query.order_by(tables.Job.id).limit(limit)))


def _charge(session: Session, *, job: tables.Job, reason: Reason, backoff_seconds: float) -> None:
    job.crashes += 1
    if job.crashes >= job.max_attempts and job.status != states.CANCELLING:
        message = f"{reason.message} (given up after {job.crashes} crashes)"
        states.move(session, job=job, status=states.FAILED, reason=Reason(reason.code, message))
    else:
        wait_seconds = min(backoff_seconds * 2 ** (job.crashes - 1), LONGEST_WAIT_SECONDS)
        _set_free(session, job=job, reason=reason, wait_seconds=wait_seconds)


def _set_free(session: Session, *, job: tables.Job, reason: Reason, wait_seconds: float = 0) -> None:
    """What a client has asked for meanwhile comes first; else the job is queued again."""
    if job.status == states.CANCELLING:
        states.move(session, job=job, status=states.CANCELLED, reason=states.CANCELLED_BY_CLIENT)
    elif job.status == states.PAUSING:
        kept = Reason(job.reason_code or reason.code, job.reason_message or reason.message)
        states.move(session, job=job, status=states.PAUSED, reason=kept)
    else:
        states.enqueue(session, job=job, reason=reason, wait_seconds=wait_seconds)


def _held(session: Session, *, job_id: str, attempt: int) -> tables.Job:
    job = session.scalar(select(tables.Job).where(tables.Job.id == job_id, states.held_by(attempt)).with_for_update())
    if job is None:
        raise LeaseLost(f"job {job_id} is no longer held by attempt {attempt}")
    return job
