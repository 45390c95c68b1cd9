"""The timeline of a job: a small grid of the same latents for every checkpoint ever made. It outlives the weights."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from store import runs, tables
from store.errors import NotFound

GRID = "grid.png"
"""The name of the picture within its artifact."""


def add(session: Session, *, job_id: str, attempt: int, images_seen: int, path: str) -> str | None:
    """Add the grid whose artifact is stored at a key, or put it in another's place. Return the other's key.

    The caller deletes that artifact after the commit. Raises LeaseLost.
    """
    runs.renew_progress(session, job_id=job_id, attempt=attempt)
    known = session.get(tables.TimelineGrid, (job_id, images_seen))
    if known is None:
        session.add(tables.TimelineGrid(job_id=job_id, images_seen=images_seen, path=path))
        return None
    before, known.path = known.path, path
    return before if before != path else None


def places(session: Session, *, job_id: str) -> list[int]:
    """Return the images seen at each grid, rising."""
    query = select(tables.TimelineGrid.images_seen).where(tables.TimelineGrid.job_id == job_id)
    return list(session.scalars(query.order_by(tables.TimelineGrid.images_seen)))


def path(session: Session, *, job_id: str, images_seen: int) -> str:
    """Return the key of a grid's artifact. Raises NotFound."""
    if (row := session.get(tables.TimelineGrid, (job_id, images_seen))) is None:
        raise NotFound(f"job {job_id} has no grid at {images_seen:,} images: its timeline lists those that there are")
    return row.path


def paths(session: Session) -> set[str]:
    """Return the keys of all grids."""
    return set(session.scalars(select(tables.TimelineGrid.path)))
