"""The heartbeat: a thread of the worker's main process that renews the worker's row.

The main process forks a new pool process when the old one has died. A fork in the midst of a beat would leave the child
with SQLite's locks as they were, held by a thread that it does not have: it could never write. So a fork waits for the
end of the beat, and between beats no connection is open.
"""

import os
import threading
from collections.abc import Callable
from contextlib import closing
from multiprocessing.synchronize import Event

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from store import workers
from store.database import Database
from store.settings import Settings
from worker import hardware

log = structlog.get_logger()
_between_beats = threading.Lock()


def start(settings: Settings, *, worker_id: str, host: str, pid: int, shutdown: Event) -> threading.Thread:
    """Renew the worker's row from now on, until `shutdown` is set; then remove it. To be called once in a process."""
    os.register_at_fork(
        before=_between_beats.acquire, after_in_parent=_between_beats.release, after_in_child=_between_beats.release
    )

    device = hardware.device(settings.device)

    def beat(session: Session) -> None:
        workers.beat(session, worker_id=worker_id, host=host, pid=pid, device=device)

    def leave(session: Session) -> None:
        workers.leave(session, worker_id=worker_id)

    def run() -> None:
        _write(settings, beat)
        while not shutdown.wait(settings.heartbeat_seconds):
            _write(settings, beat)
        _write(settings, leave)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def _write(settings: Settings, work: Callable[[Session], None]) -> None:
    """Do one unit of work over a connection of its own, unless the database is away."""
    with _between_beats, closing(Database(settings.database, deliver=lambda outbox: None)) as database:
        try:
            with database.write() as session:
                work(session)
        except DBAPIError as error:
            log.warning("no heartbeat: database away", error=str(error.orig))
