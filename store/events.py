"""Events of jobs: appended in the transaction that makes them true, sent to viewers once it is committed."""

from collections.abc import Collection

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from store import database, payloads, tables
from store.errors import NotFound


def append(
    session: Session, *, job_id: str, kind: str, data: payloads.Payload, images_seen: int | None = None
) -> tables.Event:
    """Append an event. Its id comes from a counter on the job's row: ids have no gaps and become visible in order."""
    job = session.execute(
        update(tables.Job)
        .where(tables.Job.id == job_id)
        .values(last_event_id=tables.Job.last_event_id + 1)
        .returning(tables.Job.last_event_id, tables.Job.images_seen, database.now())
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if job is None:
        raise NotFound(f"no job {job_id}")
    id_, seen, at = job
    event = tables.Event(
        job_id=job_id,
        id=id_,
        type=kind,
        at=at,
        images_seen=seen if images_seen is None else images_seen,
        tick_images=images_seen if kind == "metrics" else None,
        data=payloads.encode(data),
    )
    session.add(event)
    session.flush()
    database.outbox(session).events.append(event)
    return event


def record_tick(session: Session, *, job_id: str, images_seen: int, values: dict[str, float]) -> None:
    """Record a point of the series. A resumed run that reaches a point again overwrites it under the same id."""
    known = session.scalar(
        select(tables.Event).where(tables.Event.job_id == job_id, tables.Event.tick_images == images_seen)
    )
    if known is None:
        append(session, job_id=job_id, kind="metrics", data=values, images_seen=images_seen)
    else:
        known.data = values
        session.flush()


def after(session: Session, *, job_id: str, event_id: int, limit: int) -> list[tables.Event]:
    """Return the events after an id, oldest first."""
    query = select(tables.Event).where(tables.Event.job_id == job_id, tables.Event.id > event_id)
    return list(session.scalars(query.order_by(tables.Event.id).limit(limit)))


def newest_first(session: Session, *, job_id: str, types: Collection[str], limit: int) -> list[tables.Event]:
    """Return the latest events of these types."""
    query = select(tables.Event).where(tables.Event.job_id == job_id, tables.Event.type.in_(types))
    return list(session.scalars(query.order_by(tables.Event.id.desc()).limit(limit)))


def series(session: Session, *, job_id: str, after_images: int) -> list[tuple[int, dict[str, float]]]:
    """Return the series: (images seen, values), in order, each images seen once."""
    rows = session.execute(
        select(tables.Event.tick_images, tables.Event.data)
        .where(tables.Event.job_id == job_id, tables.Event.tick_images > after_images)
        .order_by(tables.Event.tick_images)
    )
    return [(images, data) for images, data in rows]
