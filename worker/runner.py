"""`python -m worker.runner JOB ATTEMPT`: does what the job's kind says, and ends with an `ExitStatus`."""

import gc
import os
import signal
import sys

import structlog
from sqlalchemy.exc import DBAPIError

from store import database, logs, payloads, runs, states, tables
from store.artifacts import LocalArtifacts
from store.database import Database
from store.errors import LeaseLost, StorageFull
from store.queue import Queue
from store.settings import Settings
from worker import kinds
from worker.attempt import Attempt, ExitStatus, Stopped
from worker.process import die_with_parent

log = structlog.get_logger()


def run(attempt: Attempt, work: kinds.Run) -> ExitStatus:
    """Do the work of an attempt. Raises LeaseLost; any other exception of the work's is a crash."""
    try:
        work(attempt)
    except Stopped:
        return ExitStatus.STOPPED
    except StorageFull as error:
        reason = payloads.Reason("storage_full", f"{error}; free some space, then resume the job")
        attempt.pause_on_failure(reason)
    if not attempt.ended:
        raise RuntimeError(f"a job of kind {attempt.job.kind} was left without an end")
    return ExitStatus.DONE


def main(arguments: list[str]) -> int:
    parent_pid = os.getppid()
    die_with_parent(parent_pid)
    logs.configure()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal; the supervisor decides
    job_id, attempt = arguments[0], int(arguments[1])
    settings = Settings.read()
    queue = Queue(settings.redis)
    db = Database(settings.database, deliver=queue.deliver)

    def get_held() -> tables.Job:
        with db.read() as session:
            return runs.get_held(session, job_id=job_id, attempt=attempt)

    try:
        job = database.retry(get_held, seconds=settings.lease_seconds)
        artifacts = LocalArtifacts(settings.artifacts_dir)
        asked: list[int] = []
        held = Attempt(job=job, settings=settings, db=db, artifacts=artifacts, stop=lambda: bool(asked))
        try:
            work = kinds.load(job.kind)
        except kinds.UnknownKind as error:
            held.finish(states.FAILED, payloads.Reason("unknown_kind", str(error)))
            return ExitStatus.DONE
        gc.freeze()  # else each full collection would look at all that was imported, and stop training for 0.2 s
        # Until now SIGTERM has ended the process at once: it has done no work.
        signal.signal(signal.SIGTERM, lambda number, frame: asked.append(number))
        return run(held, work)
    except LeaseLost as error:
        log.warning("ended", job_id=job_id, attempt=attempt, reason=str(error))
        return ExitStatus.LEASE_LOST
    except DBAPIError as error:
        if not database.is_outage(error):
            raise
        log.warning("ended", job_id=job_id, attempt=attempt, reason=f"the database is away: {error.orig}")
        return ExitStatus.DATABASE_AWAY
    finally:
        queue.close()
        db.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
