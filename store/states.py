"""States: which status may follow which. Nothing else changes a job's status."""

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from store import database, events, payloads, tables
from store.errors import Conflict
from store.payloads import Reason

QUEUED, RUNNING, PAUSING, PAUSED, CANCELLING = "queued", "running", "pausing", "paused", "cancelling"
SUCCEEDED, DIVERGED, FAILED, CANCELLED = "succeeded", "diverged", "failed", "cancelled"

TRANSITIONS: dict[str, frozenset[str]] = {
    QUEUED: frozenset({RUNNING, PAUSING, CANCELLING}),
    RUNNING: frozenset({QUEUED, PAUSING, CANCELLING, SUCCEEDED, DIVERGED, FAILED}),
    PAUSING: frozenset({PAUSED, CANCELLING, SUCCEEDED, DIVERGED, FAILED}),
    PAUSED: frozenset({QUEUED, CANCELLING}),
    CANCELLING: frozenset({CANCELLED}),
    SUCCEEDED: frozenset(),
    DIVERGED: frozenset({QUEUED}),
    FAILED: frozenset({QUEUED}),
    CANCELLED: frozenset(),
}
STATUSES = tuple(TRANSITIONS)
ENDED = frozenset({SUCCEEDED, DIVERGED, FAILED, CANCELLED})
"""The states of a job that has ended. Only a client's retry of a failed or diverged job leads out of them."""
HELD = frozenset({RUNNING, PAUSING, CANCELLING})
"""The states in which a runner may hold the job."""


CANCELLED_BY_CLIENT = Reason("cancelled", "cancelled by the client")
PAUSED_BY_CLIENT = Reason("paused", "paused by the client")


def move(session: Session, *, job: tables.Job, status: str, reason: Reason | None) -> None:
    """Change a job's status. Raises Conflict if its state does not allow it."""
    if status not in TRANSITIONS[job.status]:
        raise Conflict(f"job {job.id} is {job.status}: it cannot become {status}")
    at = now(session)
    previous, job.status = job.status, status
    job.reason_code, job.reason_message = (reason.code, reason.message) if reason else (None, None)
    if status not in HELD:
        job.seconds_run += at - (job.held_since or at)
        job.lease_owner = job.lease_until = job.held_since = None
    job.ended_at = at if status in ENDED else None
    session.flush()
    tell(session, job=job, previous=previous)


def enqueue(session: Session, *, job: tables.Job, reason: Reason, wait_seconds: float = 0) -> None:
    """Queue a job, to be claimed after a wait. Without a wait the workers are hinted."""
    job.available_at = now(session) + wait_seconds
    move(session, job=job, status=QUEUED, reason=reason)
    if wait_seconds == 0:
        database.outbox(session).hints.append(job.id)


def tell(session: Session, *, job: tables.Job, previous: str | None) -> None:
    """Append the event of a change of state."""
    reason = Reason(job.reason_code, job.reason_message or "") if job.reason_code else None
    data = payloads.StateChange(job.status, previous, reason, job.attempt)
    events.append(session, job_id=job.id, kind="state", data=data)


def held_by(attempt: int) -> ColumnElement[bool]:
    """Return the condition that an attempt holds a job."""
    return (tables.Job.attempt == attempt) & tables.Job.status.in_(HELD)


def now(session: Session) -> float:
    """Return the time on the database's clock."""
    return session.execute(select(database.now())).scalar_one()
