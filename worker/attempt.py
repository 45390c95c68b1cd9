"""One attempt at a job: its fenced writes, and the exit status that tells the supervisor how it ended.

Every write carries the attempt's number. Once another attempt owns the job, a write changes nothing and raises
LeaseLost.
"""

from collections.abc import Callable
from enum import IntEnum
from pathlib import Path
from typing import TypeVar

from sqlalchemy.orm import Session

from store import checkpoints, database, payloads, runs, tables, timeline
from store.artifacts import Artifacts
from store.checkpoints import NewCheckpoint
from store.database import Database
from store.errors import StorageFull
from store.settings import Settings

T = TypeVar("T")


class ExitStatus(IntEnum):
    """The way a runner's process ended. Any other status, or a signal, is a crash."""

    DONE = 0
    """The job's row says how: succeeded, diverged, failed or paused."""
    STOPPED = 75
    """The runner was asked to stop and has saved its progress."""
    LEASE_LOST = 76
    """Another attempt owns the job."""
    DATABASE_AWAY = 77
    """The database was away for as long as the lease: nothing could be recorded."""


class Stopped(Exception):
    """The runner was asked to stop; its progress is saved."""


class Attempt:
    """An attempt, as a kind of job works with it. `stop` returns true once the runner is asked to stop."""

    def __init__(
        self,
        *,
        job: tables.Job,
        settings: Settings,
        db: Database,
        artifacts: Artifacts,
        stop: Callable[[], bool],
    ) -> None:
        self.job = job
        self.settings = settings
        self.artifacts = artifacts
        self.stop = stop
        self.ended = False
        """Whether this attempt has ended or paused the job."""
        self._db = db

    # The job

    def raise_if_stopped(self) -> None:
        """Raise Stopped if the runner was asked to stop. To be called where all progress is saved."""
        if self.stop():
            raise Stopped

    def tick(self, *, images_seen: int, seconds_trained: float, values: dict[str, float]) -> None:
        """Record progress and a point of the job's series."""
        self.write(
            lambda session: runs.record_tick(
                session,
                job_id=self.job.id,
                attempt=self.job.attempt,
                images_seen=images_seen,
                seconds_trained=seconds_trained,
                values=values,
            )
        )

    def log(self, message: str, *, images_seen: int) -> None:
        """Record a line for people in the job's history."""
        self.event("log", payloads.Message(message), images_seen=images_seen)

    def event(self, kind: str, data: payloads.Payload, *, images_seen: int) -> None:
        """Record an event of the job's history."""
        self.write(
            lambda session: runs.record_event(
                session, job_id=self.job.id, attempt=self.job.attempt, kind=kind, images_seen=images_seen, data=data
            )
        )

    def finish(self, status: str, reason: payloads.Reason) -> None:
        """End the job."""
        self.end(
            lambda session: runs.finish(
                session, job_id=self.job.id, attempt=self.job.attempt, status=status, reason=reason
            )
        )

    def end(self, work: Callable[[Session], T]) -> T:
        """End the job by a unit of work that writes its result too. Return what that returns."""
        result = self.write(work)
        self.ended = True
        return result

    def pause_on_failure(self, reason: payloads.Reason) -> None:
        """Pause the job until somebody has removed the cause."""
        self.write(
            lambda session: runs.pause_on_failure(session, job_id=self.job.id, attempt=self.job.attempt, reason=reason)
        )
        self.ended = True

    # Its artifacts

    def key(self, name: str) -> str:
        """Return the key of an artifact of the job's. No other attempt has the same: an attempt writes over its own."""
        return f"jobs/{self.job.id}/{name}-{self.job.attempt}"

    def put(self, key: str, fill: Callable[[Path], T]) -> T:
        """Store the files that `fill` writes into a folder, whole or not at all; return what it returns.

        On a full disk the older checkpoints of the job are removed first. Raises StorageFull if that is not enough.
        """
        try:
            return self._put(key, fill)
        except StorageFull:
            self._delete(self.write(lambda session: self._prune(session, keep_latest=1)))
            return self._put(key, fill)

    def _put(self, key: str, fill: Callable[[Path], T]) -> T:
        # A run that was taken back to an earlier step may have stored this key without a row.
        self.artifacts.delete(key)
        with self.artifacts.put(key, min_free_bytes=self.settings.min_free_bytes) as folder:
            return fill(folder)

    def saved(self) -> list[tables.Checkpoint]:
        """Return the job's checkpoints, newest first."""

        return self.read(lambda session: checkpoints.newest_first(session, job_id=self.job.id))

    def add_checkpoint(self, new: NewCheckpoint) -> None:
        """Record a checkpoint whose files are stored, and remove those that the job no longer keeps."""

        def add(session: Session) -> list[str]:
            checkpoints.add(session, job_id=self.job.id, attempt=self.job.attempt, new=new)
            return self._prune(session)

        self._delete(self.write(add))

    def add_grid(self, key: str, *, images_seen: int) -> None:
        """Record a grid of the timeline whose picture is stored, and remove the one that it stands in for."""
        before = self.write(
            lambda session: timeline.add(
                session, job_id=self.job.id, attempt=self.job.attempt, images_seen=images_seen, path=key
            )
        )
        self._delete([] if before is None else [before])

    def _prune(self, session: Session, *, keep_latest: int | None = None) -> list[str]:
        return checkpoints.prune(session, job_id=self.job.id, attempt=self.job.attempt, keep_latest=keep_latest)

    def _delete(self, keys: list[str]) -> None:
        for key in keys:
            self.artifacts.delete(key)

    # The database

    def read(self, work: Callable[[Session], T]) -> T:
        """Read from the database, again while it is away, for as long as the lease."""

        def unit() -> T:
            with self._db.read() as session:
                return work(session)

        return database.retry(unit, seconds=self.settings.lease_seconds)

    def write(self, work: Callable[[Session], T]) -> T:
        """Do one unit of work, again while the database is away, for as long as the lease."""

        def unit() -> T:
            with self._db.write() as session:
                return work(session)

        return database.retry(unit, seconds=self.settings.lease_seconds)
