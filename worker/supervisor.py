"""Supervises one attempt at a job: a trainer process, watched for cancel, shutdown, silence and a lost lease.

It never imports torch: a CUDA error, an out-of-memory or a segfault ends the trainer and nothing else.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from sqlalchemy.exc import DBAPIError

from store import database, jobs, tables
from store.database import Database
from store.errors import LeaseLost
from store.settings import Settings
from worker import exits
from worker.process import Child

log = structlog.get_logger()
LEASE_SHARE = 0.75
"""A runner that could not renew for this share of its lease ends itself, before another one may begin."""


@dataclass(frozen=True)
class Supervisor:
    """`owner` names this worker; `shutting_down` turns true when it is asked to stop."""

    database: Database
    settings: Settings
    owner: str
    shutting_down: Callable[[], bool]

    def run(self, job_id: str) -> None:
        """One attempt at a job, if it can be claimed, to its end, its crash or the worker's shutdown."""
        lease_seconds = self.settings.lease_seconds
        claimed_at = time.monotonic()
        with self.database.write() as session:
            job = jobs.claim(session, job_id=job_id, owner=self.owner, lease_seconds=lease_seconds)
        if job is None:
            log.debug("nothing to claim", job_id=job_id)
            return
        log.info("claimed", job_id=job_id, attempt=job.attempt)
        child = Child([sys.executable, "-m", "worker.trainer", job_id, str(job.attempt)])
        try:
            problem = self._watch(child, job=job, renewed_at=claimed_at)
        except LeaseLost as error:
            child.end()
            log.warning("lease lost, trainer ended", job_id=job_id, attempt=job.attempt, reason=str(error))
            return
        finally:
            status = child.end()
        self._conclude(job=job, status=status, problem=problem, tail=child.tail())

    def _watch(self, child: Child, *, job: tables.Job, renewed_at: float) -> jobs.Reason | None:
        """Until the trainer has ended, by itself or by force; the reason for force. Raises LeaseLost."""
        settings = self.settings
        asked_at: float | None = None
        grace_seconds = settings.stop_grace_seconds
        progress, progressed_at = job.progress_at, time.monotonic()
        while child.wait(settings.control_seconds) is None:
            now = time.monotonic()
            try:
                job = self._look(job)
                if job.status in jobs.HELD and now - renewed_at >= settings.heartbeat_seconds:
                    job = self._renew(job)
                    renewed_at = now
            except DBAPIError as error:
                if not database.is_outage(error):
                    raise
                if now - renewed_at > settings.lease_seconds * LEASE_SHARE:
                    raise LeaseLost("the database has been away for most of the lease") from error
            if job.progress_at != progress:
                progress, progressed_at = job.progress_at, now
            if now - progressed_at > settings.stall_seconds:
                return jobs.Reason("stalled", f"no progress for {settings.stall_seconds:.0f} s")
            if job.status == jobs.CANCELLING:
                grace_seconds = settings.cancel_grace_seconds
            if asked_at is None and job.status in jobs.ENDED:
                asked_at = now  # by the trainer itself, which is about to exit
            if asked_at is None and (job.status == jobs.CANCELLING or self.shutting_down()):
                child.ask()
                asked_at = now
            if asked_at is not None and now - asked_at > grace_seconds:
                return jobs.Reason("stop_timeout", f"the trainer did not stop within {grace_seconds:.0f} s")
        return None

    def _renew(self, job: tables.Job) -> tables.Job:
        with self.database.write() as session:
            return jobs.renew(session, job_id=job.id, attempt=job.attempt, lease_seconds=self.settings.lease_seconds)

    def _look(self, job: tables.Job) -> tables.Job:
        with self.database.read() as session:
            return jobs.look(session, job_id=job.id, attempt=job.attempt)

    def _conclude(self, *, job: tables.Job, status: int, problem: jobs.Reason | None, tail: str) -> None:
        """Writes down how the attempt ended, where the trainer itself could not."""
        log.info("trainer ended", job_id=job.id, attempt=job.attempt, exit_status=status)
        if problem is None and status in {exits.DONE, exits.LEASE_LOST}:
            return
        try:
            database.retry(
                lambda: self._write_conclusion(job=job, status=status, problem=problem, tail=tail),
                seconds=self.settings.lease_seconds,
            )
        except LeaseLost as error:
            log.warning("the attempt's end came too late", job_id=job.id, attempt=job.attempt, reason=str(error))

    def _write_conclusion(self, *, job: tables.Job, status: int, problem: jobs.Reason | None, tail: str) -> None:
        with self.database.write() as session:
            if problem is None and status == exits.STOPPED:
                reason = jobs.Reason("worker_stopped", f"the worker {self.owner} was stopped; nothing is lost")
                jobs.give_back(session, job_id=job.id, attempt=job.attempt, reason=reason)
                return
            jobs.crash(
                session,
                job_id=job.id,
                attempt=job.attempt,
                reason=problem or jobs.Reason("crashed", _describe(status, tail)),
                max_crashes=self.settings.max_crashes,
                backoff_seconds=self.settings.backoff_seconds,
            )


def _describe(status: int, tail: str) -> str:
    ended = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
    return f"the trainer {ended}" + (f": {tail[-2000:]}" if tail else "")
