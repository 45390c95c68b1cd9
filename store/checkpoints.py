"""Checkpoints: rows of artifacts. An artifact is stored whole before its row exists."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from store import events, ids, payloads, runs, states, tables
from store.errors import NotFound

ADOPTED = 0
"""The attempt of a checkpoint that a fork was created with: it was made by a run of the parent."""


@dataclass(frozen=True)
class NewCheckpoint:
    """A checkpoint to add. `path` is its artifact's key, `quality` the figures of its evaluation."""

    images_seen: int
    seconds_trained: float
    path: str
    size_bytes: int
    quality: dict[str, float] | None
    rank: list[float] | None = None
    """Compared from the left to find the best; less is better. None: not rated."""


def add(session: Session, *, job_id: str, attempt: int, new: NewCheckpoint) -> tables.Checkpoint:
    """Add a checkpoint, and make it the job's latest and, if it is, best. Raises LeaseLost."""
    job = runs.renew_progress(session, job_id=job_id, attempt=attempt)
    # A commit whose answer was lost is tried again. Of two rows for one artifact, the first pruned would delete it.
    known = session.scalar(
        select(tables.Checkpoint).where(tables.Checkpoint.job_id == job_id, tables.Checkpoint.path == new.path)
    )
    return known or _add(session, job=job, attempt=attempt, new=new)


def adopt(session: Session, *, job: tables.Job, new: NewCheckpoint) -> tables.Checkpoint:
    """Add the checkpoint that a new fork begins from."""
    return _add(session, job=job, attempt=ADOPTED, new=new)


def _add(session: Session, *, job: tables.Job, attempt: int, new: NewCheckpoint) -> tables.Checkpoint:
    row = tables.Checkpoint(
        id=ids.new("ckpt"),
        job_id=job.id,
        attempt=attempt,
        images_seen=new.images_seen,
        path=new.path,
        size_bytes=new.size_bytes,
        quality=new.quality,
        rank=new.rank,
        created_at=states.now(session),
    )
    session.add(row)
    session.flush()
    job.images_seen, job.seconds_trained, job.latest_checkpoint = new.images_seen, new.seconds_trained, row.id
    if new.quality is not None:
        job.quality = new.quality | {"images_seen": new.images_seen}
    if best(session, job_id=job.id, limit=1) == [row]:
        job.best_checkpoint = row.id
    data = payloads.CheckpointSaved(row.id, row.size_bytes, row.quality)
    events.append(session, job_id=job.id, kind="checkpoint", data=data, images_seen=new.images_seen)
    return row


def best(session: Session, *, job_id: str, limit: int) -> list[tables.Checkpoint]:
    """Return a job's best checkpoints, the best first, the newest first among equals."""
    rated = [(row.rank, row) for row in newest_first(session, job_id=job_id) if row.rank is not None]
    return [row for _, row in sorted(rated, key=lambda pair: pair[0])[:limit]]


def judge(
    session: Session, *, job_id: str, attempt: int, judged: Mapping[str, tuple[dict[str, float], list[float]]]
) -> str:
    """Record fresh figures and ranks of checkpoints, by id; the best of them is the job's best. Return its id.

    Raises LeaseLost.
    """
    job = runs.renew_progress(session, job_id=job_id, attempt=attempt)
    for checkpoint_id, (quality, rank) in judged.items():
        row = get(session, job_id=job_id, checkpoint_id=checkpoint_id)
        row.quality, row.rank = quality, rank
    job.best_checkpoint = min(judged, key=lambda checkpoint_id: judged[checkpoint_id][1])
    return job.best_checkpoint


def prune(session: Session, *, job_id: str, attempt: int, keep_latest: int | None = None) -> list[str]:
    """Delete the rows that a job does not keep; return their keys, whose artifacts the caller deletes after the commit.

    Kept are the `keep_latest` newest (of the job, or as given), the `keep_best` best, the pinned, and those that wait
    for an evaluation. Raises LeaseLost.
    """
    job = runs.renew_progress(session, job_id=job_id, attempt=attempt)
    rows = newest_first(session, job_id=job_id)
    kept = {row.id for row in rows[: keep_latest or job.keep_latest]} | {row.id for row in rows if row.pinned}
    kept |= {row.id for row in best(session, job_id=job_id, limit=job.keep_best)}
    kept |= _awaiting_evaluation(session, job_id=job_id)
    if job.best_checkpoint is not None:
        kept |= {job.best_checkpoint}
    dropped = [row for row in rows if row.id not in kept]
    for row in dropped:
        session.delete(row)
    return [row.path for row in dropped]


def _awaiting_evaluation(session: Session, *, job_id: str) -> set[str]:
    query = select(tables.Evaluation.subject_checkpoint).join(tables.Job, tables.Job.id == tables.Evaluation.job_id)
    waiting = tables.Job.status.not_in(states.ENDED)
    return set(session.scalars(query.where(tables.Evaluation.subject_job == job_id, waiting)))


def job_of(session: Session, *, checkpoint_id: str, tenant: str) -> str:
    """Return the id of the job that a checkpoint is of, which may be any of a tenant's. Raises NotFound."""
    query = select(tables.Job.id).join(tables.Checkpoint, tables.Job.id == tables.Checkpoint.job_id)
    found = session.scalar(query.where(tables.Checkpoint.id == checkpoint_id, tables.Job.tenant == tenant))
    if found is None:
        raise NotFound(f"no checkpoint {checkpoint_id}")
    return found


def newest_first(session: Session, *, job_id: str) -> list[tables.Checkpoint]:
    """Return a job's checkpoints, newest first."""
    query = select(tables.Checkpoint).where(tables.Checkpoint.job_id == job_id)
    return list(session.scalars(query.order_by(tables.Checkpoint.images_seen.desc(), tables.Checkpoint.id.desc())))


def page(session: Session, *, job_id: str, limit: int, after: str | None) -> tuple[list[tables.Checkpoint], bool]:
    """Return a page of a job's checkpoints, newest first, and whether there are more."""
    query = select(tables.Checkpoint).where(tables.Checkpoint.job_id == job_id)
    if after is not None:
        query = query.where(tables.Checkpoint.id < after)
    rows = list(session.scalars(query.order_by(tables.Checkpoint.id.desc()).limit(limit + 1)))
    return rows[:limit], len(rows) > limit


def get(session: Session, *, job_id: str, checkpoint_id: str) -> tables.Checkpoint:
    """Return a checkpoint of a job. Raises NotFound."""
    row = session.get(tables.Checkpoint, checkpoint_id)
    if row is None or row.job_id != job_id:
        raise NotFound(f"no checkpoint {checkpoint_id} of job {job_id}")
    return row


def pin(session: Session, *, job_id: str, checkpoint_id: str, pinned: bool) -> tables.Checkpoint:
    """Pin a checkpoint, so that pruning keeps it, or unpin it. Raises NotFound."""
    # Pruning holds the job's row.
    session.execute(select(tables.Job.id).where(tables.Job.id == job_id).with_for_update())
    row = get(session, job_id=job_id, checkpoint_id=checkpoint_id)
    row.pinned = pinned
    return row


def paths(session: Session) -> set[str]:
    """Return the keys of all checkpoints."""
    return set(session.scalars(select(tables.Checkpoint.path)))
