"""The Celery tasks, and the life of a worker around them."""

import multiprocessing
import os
import signal
import socket
from typing import Any

import structlog
from celery import signals
from sqlalchemy.exc import DBAPIError

from store import logs, queue, workers
from store.database import Database, is_outage, retry
from store.queue import Queue
from store.settings import Settings
from worker import heartbeat
from worker.app import app
from worker.process import die_with_parent
from worker.supervisor import Supervisor

log = structlog.get_logger()

# Made before the fork, so that the pool's process sees when the main process sets it.
shutdown = multiprocessing.Event()
main_pid = os.getpid()


@app.task(name=queue.TRAIN)  # type: ignore[untyped-decorator]  # Celery is untyped
def train(job_id: str) -> None:
    """Take a hint by its old name."""
    run(job_id)


@app.task(name=queue.RUN)  # type: ignore[untyped-decorator]  # Celery is untyped
def run(job_id: str) -> None:
    """Take a hint that a job waits: claim the job if it still does, and supervise the attempt."""
    settings = Settings()
    broker = Queue(settings.redis)
    database = Database(settings.database, deliver=broker.deliver)
    # A stop of the whole process group reaches this process too: it must live to stop the runner in good order.
    asked: list[int] = []
    previous = signal.signal(signal.SIGTERM, lambda number, frame: asked.append(number))
    supervisor = Supervisor(
        database=database,
        settings=settings,
        owner=f"{_worker_id()}:{os.getpid()}",  # one for each pool process, if there are several
        shutting_down=lambda: shutdown.is_set() or bool(asked),
    )
    try:
        _take_up(database, job_id)
        supervisor.run(job_id)
        retry(lambda: _take_up(database, None), seconds=settings.lease_seconds)
    except DBAPIError as error:
        if not is_outage(error):
            raise
        log.warning("database away: the job stays for later", job_id=job_id, error=str(error.orig))
    finally:
        signal.signal(signal.SIGTERM, previous)
        database.close()
        broker.close()


@signals.setup_logging.connect  # type: ignore[untyped-decorator]  # Celery is untyped
def configure_logs(**_: Any) -> None:
    logs.configure()


@signals.worker_process_init.connect  # type: ignore[untyped-decorator]  # Celery is untyped
def bind_to_worker(**_: Any) -> None:
    """End a pool process with its worker, as a runner ends with its pool process."""
    die_with_parent(main_pid)


@signals.worker_ready.connect  # type: ignore[untyped-decorator]  # Celery is untyped
def begin_beating(**_: Any) -> None:
    log.info("worker ready", worker=_worker_id())
    settings = Settings()
    heartbeat.start(settings, worker_id=_worker_id(), host=socket.gethostname(), pid=main_pid, shutdown=shutdown)


@signals.worker_shutting_down.connect  # type: ignore[untyped-decorator]  # Celery is untyped
def stop_runner(**_: Any) -> None:
    shutdown.set()


def _take_up(database: Database, job_id: str | None) -> None:
    with database.write() as session:
        workers.take_up(session, worker_id=_worker_id(), job_id=job_id)


def _worker_id() -> str:
    return f"{socket.gethostname()}:{main_pid}"
