"""Supervises one attempt at a job: a trainer process, watched for what clients want, shutdown, silence, a lost lease.

It never imports torch: a CUDA error, an out-of-memory or a segfault ends the trainer and nothing else.
"""

import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from sqlalchemy.exc import DBAPIError

from store import database, runs, states, tables
from store.database import Database
from store.errors import DatabaseAway, LeaseLost
from store.settings import Settings
from store.states import Reason
from worker import exits
from worker.lease import Lease
from worker.process import Child

log = structlog.get_logger()
OVERDUE = "max_seconds"
"""The code of a job that has run for as long as it may."""
AWAY = Reason("database_away", "the database was away for longer than the lease; the newest checkpoint goes on")


@dataclass(frozen=True)
class Ending:
    """How the watch over a trainer has ended."""

    stopped: Reason | None = None
    """Why it was asked to stop, if it was."""
    forced: Reason | None = None
    """Why it was ended by force, if it was."""


@dataclass(frozen=True)
class Supervisor:
    """`owner` names this worker; `shutting_down` turns true when it is asked to stop."""

    database: Database
    settings: Settings
    owner: str
    shutting_down: Callable[[], bool]

    def run(self, job_id: str) -> None:
        """One attempt at a job, if it can be claimed, to its end, its crash or the worker's shutdown."""
        # A job whose claim was committed and not heard of would wait for its lease to run out: ask again.
        claimed_at, job = database.retry(lambda: self._claim(job_id), seconds=self.settings.lease_seconds / 2)
        if job is None:
            log.debug("nothing to claim", job_id=job_id)
            return
        log.info("claimed", job_id=job_id, attempt=job.attempt)
        child = Child([sys.executable, "-m", "worker.trainer", job_id, str(job.attempt)])
        try:
            with Lease(self.database, job=job, settings=self.settings, claimed_at=claimed_at) as lease:
                ending = self._watch(child, lease)
        except LeaseLost as error:
            child.end()
            log.warning("lease lost, trainer ended", job_id=job_id, attempt=job.attempt, reason=str(error))
            if isinstance(error, DatabaseAway):
                self._release(job)
            return
        finally:
            status = child.end()
        self._conclude(job=job, status=status, ending=ending, tail=child.tail())

    def _claim(self, job_id: str) -> tuple[float, tables.Job | None]:
        """And when it was asked for: the lease counts from then on, or later."""
        claimed_at = time.monotonic()
        with self.database.write() as session:
            lease_seconds = self.settings.lease_seconds
            return claimed_at, runs.claim(session, job_id=job_id, owner=self.owner, lease_seconds=lease_seconds)

    def _watch(self, child: Child, lease: Lease) -> Ending:
        """Until the trainer has ended, by itself or by force. Raises LeaseLost."""
        settings = self.settings
        began = time.monotonic()
        seconds_left = None if lease.job.max_seconds is None else lease.job.max_seconds - lease.job.seconds_run
        asked_at: float | None = None
        stopped: Reason | None = None
        progress, progressed_at = lease.job.progress_at, began
        while child.wait(settings.control_seconds) is None:
            lease.check()
            now, job = time.monotonic(), lease.job
            if job.progress_at != progress:
                progress, progressed_at = job.progress_at, now
            if now - progressed_at > settings.stall_seconds:
                return Ending(stopped, Reason("stalled", f"no progress for {settings.stall_seconds:.0f} s"))
            if asked_at is None and job.status in states.ENDED | {states.PAUSED}:
                asked_at = now  # by the trainer itself, which is about to exit
            if asked_at is None:
                overdue = seconds_left is not None and now - began > seconds_left
                if (stopped := self._wish(job, overdue=overdue)) is not None:
                    child.ask()
                    asked_at = now
            hurried = job.status == states.CANCELLING
            grace_seconds = settings.cancel_grace_seconds if hurried else settings.stop_grace_seconds
            if asked_at is not None and now - asked_at > grace_seconds:
                message = f"the trainer did not stop within {grace_seconds:.0f} s"
                return Ending(stopped, Reason("stop_timeout", message))
        return Ending(stopped)

    def _wish(self, job: tables.Job, *, overdue: bool) -> Reason | None:
        """Why the trainer should stop, if it should."""
        if job.status == states.CANCELLING:
            return states.CANCELLED_BY_CLIENT
        if job.status == states.PAUSING:
            return states.PAUSED_BY_CLIENT
        if overdue:
            return Reason(OVERDUE, f"the job has run for its max_seconds, {job.max_seconds:g} s")
        if self.shutting_down():
            return Reason("worker_stopped", f"the worker {self.owner} was stopped; nothing is lost")
        return None

    def _conclude(self, *, job: tables.Job, status: int, ending: Ending, tail: str) -> None:
        """Writes down how the attempt ended, where the trainer itself could not."""
        log.info("trainer ended", job_id=job.id, attempt=job.attempt, exit_status=status)
        if ending.forced is None and status in {exits.DONE, exits.LEASE_LOST}:
            return
        if status == exits.DATABASE_AWAY:
            self._release(job)
            return
        try:
            database.retry(
                lambda: self._write_conclusion(job=job, status=status, ending=ending, tail=tail),
                seconds=self.settings.lease_seconds,
            )
        except LeaseLost as error:
            log.warning("the attempt's end came too late", job_id=job.id, attempt=job.attempt, reason=str(error))

    def _release(self, job: tables.Job) -> None:
        """As soon as the database is back, or this worker shuts down. The outage is nobody's crash."""

        def unit() -> None:
            with self.database.write() as session:
                runs.release(session, job_id=job.id, attempt=job.attempt, reason=AWAY)

        while True:
            try:
                database.retry(unit, seconds=self.settings.lease_seconds)
            except LeaseLost as error:
                log.warning("somebody else was faster", job_id=job.id, attempt=job.attempt, reason=str(error))
            except DBAPIError as error:
                if database.is_outage(error) and not self.shutting_down():
                    continue
                raise
            return

    def _write_conclusion(self, *, job: tables.Job, status: int, ending: Ending, tail: str) -> None:
        # One that had no ears yet when it was asked had not trained yet either.
        in_good_order = ending.forced is None and status in {exits.STOPPED, -signal.SIGTERM}
        with self.database.write() as session:
            if ending.stopped is not None and in_good_order:
                if ending.stopped.code == OVERDUE:
                    runs.finish(
                        session, job_id=job.id, attempt=job.attempt, status=states.FAILED, reason=ending.stopped
                    )
                else:
                    runs.release(session, job_id=job.id, attempt=job.attempt, reason=ending.stopped)
                return
            reason = ending.forced or Reason("crashed", _describe(status, tail))
            runs.record_crash(
                session,
                job_id=job.id,
                attempt=job.attempt,
                reason=reason,
                backoff_seconds=self.settings.backoff_seconds,
            )


def _describe(status: int, tail: str) -> str:
    ended = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
    return f"the trainer {ended}" + (f": {tail[-2000:]}" if tail else "")
