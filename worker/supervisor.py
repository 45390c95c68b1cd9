"""Supervises one attempt at a job of any kind, from outside: its runner is a process that can die alone.

The supervisor watches for a client's cancel or pause, a shutdown, a runner without progress and a lost lease. It never
imports torch: a CUDA error, an out-of-memory or a segfault ends the runner and nothing else.
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
from store.payloads import Reason
from store.settings import Settings
from worker.attempt import ExitStatus
from worker.lease import Lease
from worker.process import Child

log = structlog.get_logger()
OVERDUE = "max_seconds"
"""The reason's code when a job has run for its `max_seconds`."""
AWAY = Reason("database_away", "the database was away for longer than the lease; the newest checkpoint goes on")


@dataclass(frozen=True)
class Ending:
    """The end of the watch over a runner."""

    stopped: Reason | None = None
    """The reason why the runner was asked to stop, if it was."""
    forced: Reason | None = None
    """The reason why the runner was killed, if it was."""


@dataclass(frozen=True)
class Supervisor:
    """Runs attempts for the worker `owner`. `shutting_down` turns true when the worker is asked to stop."""

    database: Database
    settings: Settings
    owner: str
    shutting_down: Callable[[], bool]

    def run(self, job_id: str) -> None:
        """Claim a job, if possible, and watch one attempt to its end, its crash or the worker's shutdown."""
        # A job whose claim was committed, but not answered, would wait for its lease to run out: ask again.
        claimed_at, job = database.retry(lambda: self._claim(job_id), seconds=self.settings.lease_seconds / 2)
        if job is None:
            log.debug("nothing to claim", job_id=job_id)
            return
        log.info("claimed", job_id=job_id, attempt=job.attempt)
        child = Child([sys.executable, "-m", "worker.runner", job_id, str(job.attempt)])
        try:
            with Lease(self.database, job=job, settings=self.settings, claimed_at=claimed_at) as lease:
                ending = self._watch(child, lease)
        except LeaseLost as error:
            child.end()
            log.warning("lease lost, runner ended", job_id=job_id, attempt=job.attempt, reason=str(error))
            if isinstance(error, DatabaseAway):
                self._release(job)
            return
        finally:
            status = child.end()
        self._conclude(job=job, status=status, ending=ending, tail=child.tail())

    def _claim(self, job_id: str) -> tuple[float, tables.Job | None]:
        """Return the lease's earliest start, and the job if it was claimed."""
        claimed_at = time.monotonic()
        with self.database.write() as session:
            lease_seconds = self.settings.lease_seconds
            return claimed_at, runs.claim(session, job_id=job_id, owner=self.owner, lease_seconds=lease_seconds)

    def _watch(self, child: Child, lease: Lease) -> Ending:
        """Wait until the runner has ended, by itself or by force. Raises LeaseLost."""
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
                asked_at = now  # the runner has ended the job and is about to exit
            if asked_at is None:
                overdue = seconds_left is not None and now - began > seconds_left
                if (stopped := self._wish(job, overdue=overdue)) is not None:
                    child.ask()
                    asked_at = now
            hurried = job.status == states.CANCELLING
            grace_seconds = settings.cancel_grace_seconds if hurried else settings.stop_grace_seconds
            if asked_at is not None and now - asked_at > grace_seconds:
                message = f"the runner did not stop within {grace_seconds:.0f} s"
                return Ending(stopped, Reason("stop_timeout", message))
        return Ending(stopped)

    def _wish(self, job: tables.Job, *, overdue: bool) -> Reason | None:
        """Return the reason why the runner should stop, if it should."""
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
        """Record how the attempt ended, unless the runner itself did."""
        log.info("runner ended", job_id=job.id, attempt=job.attempt, exit_status=status)
        if ending.forced is None and status in {ExitStatus.DONE, ExitStatus.LEASE_LOST}:
            return
        if status == ExitStatus.DATABASE_AWAY:
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
        """Release the job once the database is back, or raise at shutdown. The outage is never charged to the job."""

        def unit() -> None:
            with self.database.write() as session:
                runs.release(session, job_id=job.id, attempt=job.attempt, reason=AWAY)

        while True:
            try:
                database.retry(unit, seconds=self.settings.lease_seconds)
            except LeaseLost as error:
                log.warning("another attempt was faster", job_id=job.id, attempt=job.attempt, reason=str(error))
            except DBAPIError as error:
                if database.is_outage(error) and not self.shutting_down():
                    continue
                raise
            return

    def _write_conclusion(self, *, job: tables.Job, status: int, ending: Ending, tail: str) -> None:
        # A runner killed before it installed its signal handler has done no work.
        in_good_order = ending.forced is None and status in {ExitStatus.STOPPED, -signal.SIGTERM}
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
    return f"the runner {ended}" + (f": {tail[-2000:]}" if tail else "")
