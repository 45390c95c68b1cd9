"""`python -m worker.reconciler`: makes workers, broker and disk match the database, at intervals.

A round frees jobs whose runner is gone, repeats lost hints of queued jobs, removes orphans from the disk and ends stuck
writers. Several reconcilers may run: every change is conditional.
"""

import math
import signal
import threading
import time

import structlog
from redis import RedisError
from sqlalchemy.exc import DBAPIError

from store import database, idempotency, logs, runs, workers
from store.artifacts import LocalArtifacts
from store.database import Database
from store.queue import Queue
from store.settings import Settings
from worker import orphans, stuck_writers

log = structlog.get_logger()
HINTS_A_ROUND = 1000


class Patience:
    """A wait after a database outage, so that runners can renew their leases. An outage is never charged to a job."""

    def __init__(self, *, seconds: float, stall_seconds: float) -> None:
        self._seconds = seconds
        self._stall_seconds = stall_seconds
        self._away_at = -math.inf

    def check(self, db: Database) -> None:
        """Ask the database for an answer; a slow one counts as an outage. Raises DBAPIError while it is away."""
        asked_at = time.monotonic()
        try:
            db.ping()
        except DBAPIError:
            self._away_at = time.monotonic()
            raise
        if time.monotonic() - asked_at > self._stall_seconds:
            self._away_at = time.monotonic()

    @property
    def is_over(self) -> bool:
        return time.monotonic() - self._away_at > self._seconds


def reconcile(db: Database, queue: Queue, *, settings: Settings, frees: bool = True) -> None:
    """Do one round; jobs whose lease has run out are freed if `frees`.

    A broker that is away is logged. Raises DBAPIError while the database is away.
    """
    with db.write() as session:
        lost = runs.recover_lost(session, backoff_seconds=settings.backoff_seconds) if frees else []
        workers.forget_gone(session)
        idempotency.forget_old(session)
    for job in lost:
        log.warning("lease ran out", job_id=job.id, attempt=job.attempt, status=job.status)
    with db.read() as session:
        waiting = runs.due(session, limit=HINTS_A_ROUND)
    try:
        # Hints that still wait in the broker are not repeated: they would pile up behind long jobs.
        missing = len(waiting) - queue.depth()
        for job_id in waiting[: max(missing, 0)]:
            queue.hint(job_id)
    except (RedisError, OSError) as error:
        log.warning("broker away, hints wait", error=str(error), jobs=len(waiting))


def main() -> None:
    logs.configure()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: stop.set())
    settings = Settings.read()
    queue = Queue(settings.redis)
    db = Database(settings.database, deliver=queue.deliver)
    artifacts = LocalArtifacts(settings.artifacts_dir)
    log.info("reconciler ready", every_seconds=settings.reconcile_seconds)
    threading.Thread(target=stuck_writers.watch, args=(settings.database,), kwargs={"stop": stop}, daemon=True).start()
    patience = Patience(seconds=settings.lease_seconds, stall_seconds=settings.heartbeat_seconds)
    swept_at = -math.inf
    while not stop.wait(settings.reconcile_seconds):
        try:
            patience.check(db)
            reconcile(db, queue, settings=settings, frees=patience.is_over)
            if time.monotonic() - swept_at > settings.sweep_seconds:
                orphans.sweep(db, artifacts, orphan_seconds=settings.orphan_seconds)
                swept_at = time.monotonic()
        except DBAPIError as error:
            if not database.is_outage(error):
                raise
            log.warning("database away, trying again", error=str(error.orig))
        except OSError as error:
            log.error("the disk could not be swept", error=str(error))
    queue.close()
    db.close()


if __name__ == "__main__":
    main()
