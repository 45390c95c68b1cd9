"""The lease on a job, kept by a thread of its own: whoever watches the trainer never waits for the database."""

import threading
import time
from types import TracebackType
from typing import Self

import structlog
from sqlalchemy.exc import DBAPIError

from store import database, runs, states, tables
from store.database import Database
from store.errors import DatabaseAway
from store.settings import Settings

log = structlog.get_logger()


class Lease:
    """Held while the block runs. `job` is the row as it was last seen, a wish to cancel or pause included."""

    def __init__(self, database: Database, *, job: tables.Job, settings: Settings, claimed_at: float) -> None:
        self.job = job
        self._database = database
        self._settings = settings
        self._renewed_at = claimed_at
        self._error: Exception | None = None
        self._leaving = threading.Event()
        # A daemon: it may hang in a database that has gone silent.
        self._thread = threading.Thread(target=self._keep, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._leaving.set()
        self._thread.join(self._settings.control_seconds)

    def check(self) -> None:
        """Raises LeaseLost where another attempt owns the job, DatabaseAway where one soon may.

        And whatever else has ended the thread.
        """
        if self._error is not None:
            raise self._error
        # Before the lease ends by the database's clock there must be time to notice and to kill.
        margin = max(2 * self._settings.control_seconds, 0.05 * self._settings.lease_seconds)
        if time.monotonic() - self._renewed_at > self._settings.lease_seconds - margin:
            raise DatabaseAway("the database has been away for as long as the lease")

    def _keep(self) -> None:
        try:
            while not self._leaving.wait(self._settings.control_seconds):
                try:
                    self._look()
                except DBAPIError as error:
                    if not database.is_outage(error):
                        raise
                    log.warning("database away, lease not renewed", job_id=self.job.id, error=str(error.orig))
        except Exception as error:  # noqa: BLE001 (raised again by `check`)
            self._error = error

    def _look(self) -> None:
        job_id, attempt = self.job.id, self.job.attempt
        with self._database.read() as session:
            self.job = runs.look(session, job_id=job_id, attempt=attempt)
        now = time.monotonic()  # before the renewal: the lease ends later than this says, never sooner
        if self.job.status in states.HELD and now - self._renewed_at >= self._settings.heartbeat_seconds:
            with self._database.write() as session:
                self.job = runs.renew(
                    session, job_id=job_id, attempt=attempt, lease_seconds=self._settings.lease_seconds
                )
            self._renewed_at = now
