"""Workers: one row each, which the worker renews as a heartbeat."""

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from store import database, tables

GONE_SECONDS = 24 * 3600


def beat(session: Session, *, worker_id: str, host: str, pid: int, device: str) -> None:
    """Record that a worker lives."""
    at = session.execute(select(database.now())).scalar_one()
    row = session.get(tables.Worker, worker_id)
    if row is None:
        row = tables.Worker(id=worker_id, host=host, pid=pid, device=device, started_at=at)
        session.add(row)
    row.seen_at = at


def take_up(session: Session, *, worker_id: str, job_id: str | None) -> None:
    """Record the job that a worker runs; None while it waits."""
    session.execute(update(tables.Worker).where(tables.Worker.id == worker_id).values(job_id=job_id))


def leave(session: Session, *, worker_id: str) -> None:
    """Delete the row of a worker that shuts down."""
    session.execute(delete(tables.Worker).where(tables.Worker.id == worker_id))


def newest_first(session: Session, *, limit: int) -> list[tables.Worker]:
    """Return the workers, the one seen last first."""
    return list(session.scalars(select(tables.Worker).order_by(tables.Worker.seen_at.desc()).limit(limit)))


def living(session: Session, *, within_seconds: float) -> list[tables.Worker]:
    """Return the workers that were seen within the last `within_seconds`."""
    query = select(tables.Worker).where(tables.Worker.seen_at > database.now() - within_seconds)
    return list(session.scalars(query.order_by(tables.Worker.id)))


def forget_gone(session: Session) -> None:
    """Delete the rows of workers that were not seen for `GONE_SECONDS`."""
    session.execute(delete(tables.Worker).where(tables.Worker.seen_at < database.now() - GONE_SECONDS))
