"""The lease on a job, renewed by its own thread, so that the supervisor's watch never waits for the database."""

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
    """A lease, held while its block runs. `job` is the newest row that was read: a cancel or a pause shows there."""

    def __init__(self, database: Database, *, job: tables.Job, settings: Settings, claimed_at: float) -> None:
        self.job = job
        self._database = database
        self._settings = settings
        self._renewed_at = claimed_at
        self._error: Exception | None = None
        self._leaving = threading.Event()
        # A daemon, because it may hang in a database that no longer answers.
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
        """Raise LeaseLost if another attempt owns the job, and DatabaseAway if one soon may.

        Any other error that ended the thread is raised too.
        """
        if self._error is not None:
            raise self._error
        # The process must be killed before the lease ends by the database's clock.
        margin = max(2 * self._settings.control_seconds, 0.05 * self._settings.lease_seconds)
        if time.monotonic() - self._renewed_at > self._settings.lease_seconds - margin:
            raise DatabaseAway("the database has been away for as long as the lease")

    def _keep(self) -> None:
        try:
            while not self._leaving.wait(self._settings.control_seconds):
                try:
                    self._refresh()
                except DBAPIError as error:
                    if not database.is_outage(error):
                        raise
                    log.warning("database away, lease not renewed", job_id=self.job.id, error=str(error.orig))
        except Exception as error:  # noqa: BLE001 (raised again by `check`)
            self._error = error

    def _refresh(self) -> None:
        job_id, attempt = self.job.id, self.job.attempt
        with self._database.read() as session:
            self.job = runs.get_held(session, job_id=job_id, attempt=attempt)
        now = time.monotonic()  # taken before the renewal: the lease never ends sooner than this says
        if self.job.status in states.HELD and now - self._renewed_at >= self._settings.heartbeat_seconds:
            with self._database.write() as session:
                self.job = runs.renew(
                    session, job_id=job_id, attempt=attempt, lease_seconds=self._settings.lease_seconds
                )
            self._renewed_at = now
