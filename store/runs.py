"""Runs: claim a job, hold it, write for it, and release it.

A runner holds a job by its `attempt`. Each of its writes names the attempt. Once another attempt owns the job, a write
changes nothing and raises LeaseLost.
"""

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from store import database, events, payloads, states, tables
from store.errors import LeaseLost
from store.payloads import Reason

LONGEST_WAIT_SECONDS = 600.0


def claim(session: Session, *, job_id: str, owner: str, lease_seconds: float) -> tables.Job | None:
    """Claim a queued job that is due; None if it cannot be claimed. One of several claimants wins.

    An owner that runs one job at a time may call this again after it got no answer: it is given the job that it holds.
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
    """Renew the lease and return the job. Raises LeaseLost."""
    job = _held(session, job_id=job_id, attempt=attempt)
    job.lease_until = states.now(session) + lease_seconds
    return job


def get_held(session: Session, *, job_id: str, attempt: int) -> tables.Job:
    """Return the job that the attempt holds, or has ended, without a write. Raises LeaseLost."""
    job = session.get(tables.Job, job_id)
    if job is None or job.attempt != attempt or job.status == states.QUEUED:
        raise LeaseLost(f"job {job_id} is no longer held by attempt {attempt}")
    return job


def renew_progress(session: Session, *, job_id: str, attempt: int) -> tables.Job:
    """Record that the runner makes progress. Raises LeaseLost."""
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
    """Record a point of the training series and the progress that it shows. Raises LeaseLost."""
    job = renew_progress(session, job_id=job_id, attempt=attempt)
    job.images_seen, job.seconds_trained = images_seen, seconds_trained
    job.images_per_second = values.get("images_per_second", job.images_per_second)
    events.record_tick(session, job_id=job_id, images_seen=images_seen, values=values)


def record_event(
    session: Session, *, job_id: str, attempt: int, kind: str, images_seen: int, data: payloads.Payload
) -> None:
    """Record an event other than a tick. Raises LeaseLost."""
    renew_progress(session, job_id=job_id, attempt=attempt)
    events.append(session, job_id=job_id, kind=kind, data=data, images_seen=images_seen)


def finish(session: Session, *, job_id: str, attempt: int, status: str, reason: Reason) -> tables.Job:
    """End a job. A cancel that came first wins. Raises LeaseLost."""
    job = _held(session, job_id=job_id, attempt=attempt)
    if job.status == states.CANCELLING:
        status, reason = states.CANCELLED, states.CANCELLED_BY_CLIENT
    states.move(session, job=job, status=status, reason=reason)
    return job


def pause_on_failure(session: Session, *, job_id: str, attempt: int, reason: Reason) -> tables.Job:
    """Pause a job whose runner cannot go on until somebody has removed the cause. Raises LeaseLost."""
    job = _held(session, job_id=job_id, attempt=attempt)
    if job.status == states.RUNNING:
        states.move(session, job=job, status=states.PAUSING, reason=reason)
    _set_free(session, job=job, reason=reason)
    return job


def release(session: Session, *, job_id: str, attempt: int, reason: Reason) -> tables.Job:
    """Release a job whose runner stopped in good order: for a pause, a cancel or the restart of its machine.

    No crash is counted. Raises LeaseLost.
    """
    job = _held(session, job_id=job_id, attempt=attempt)
    _set_free(session, job=job, reason=reason)
    return job


def record_crash(session: Session, *, job_id: str, attempt: int, reason: Reason, backoff_seconds: float) -> tables.Job:
    """Record that the runner's process died. The job is queued again after a wait; its `max_attempts`th crash fails it.

    Raises LeaseLost.
    """
    job = _held(session, job_id=job_id, attempt=attempt)
    _count_crash(session, job=job, reason=reason, backoff_seconds=backoff_seconds)
    return job


def recover_lost(session: Session, *, backoff_seconds: float) -> list[tables.Job]:
    """Free the jobs whose lease has run out: their runner is dead, frozen or cut off. Return them."""
    query = select(tables.Job).where(tables.Job.status.in_(states.HELD), tables.Job.lease_until < database.now())
    lost = list(session.scalars(query.with_for_update(skip_locked=True)))
    for job in lost:
        reason = Reason("worker_lost", f"the worker {job.lease_owner} stopped renewing its lease")
        _count_crash(session, job=job, reason=reason, backoff_seconds=backoff_seconds)
    return lost


def due(session: Session, *, limit: int) -> list[str]:
    """Return the ids of the queued jobs that may be claimed now, oldest first."""
    query = select(tables.Job.id).where(tables.Job.status == states.QUEUED, tables.Job.available_at <= database.now())
    return list(session.scalars(query.order_by(tables.Job.id).limit(limit)))


def _count_crash(session: Session, *, job: tables.Job, reason: Reason, backoff_seconds: float) -> None:
    job.crashes += 1
    if job.crashes >= job.max_attempts and job.status != states.CANCELLING:
        message = f"{reason.message} (given up after {job.crashes} crashes)"
        states.move(session, job=job, status=states.FAILED, reason=Reason(reason.code, message))
    else:
        wait_seconds = min(backoff_seconds * 2 ** (job.crashes - 1), LONGEST_WAIT_SECONDS)
        _set_free(session, job=job, reason=reason, wait_seconds=wait_seconds)


def _set_free(session: Session, *, job: tables.Job, reason: Reason, wait_seconds: float = 0) -> None:
    """Carry out the cancel or pause that a client has asked for; without one, queue the job again."""
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
