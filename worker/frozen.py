"""Frozen writers: a process that is stopped (SIGSTOP) in the midst of a write keeps everybody else from writing.

PostgreSQL ends such a session by itself (see `store.database`). SQLite's lock is a file's: it is free once its holder
goes on or ends. Linux only.
"""

import os
import signal
import threading
import time
from pathlib import Path

import structlog
from sqlalchemy.engine import make_url

log = structlog.get_logger()
PATIENCE_SECONDS = 10.0
"""No write takes so long, and nobody has given up waiting yet (`store.database.BUSY_SECONDS`)."""
WRITE_LOCK_BYTE = 120
"""Of the file beside a database in WAL mode; https://www.sqlite.org/walformat.html, section 2.3.1."""


def watch(url: str, *, stop: threading.Event) -> None:
    """Ends, until told to stop, every process that stays frozen while it holds the write lock of an SQLite database."""
    database = make_url(url)
    if database.get_backend_name() != "sqlite" or not database.database:
        return
    index = Path(f"{database.database}-shm")
    seen, since = 0, 0.0
    while not stop.wait(1.0):
        pid = frozen_writer(index)
        if pid != seen:
            seen, since = pid, time.monotonic()
        elif pid and time.monotonic() - since > PATIENCE_SECONDS:
            since = time.monotonic()
            log.error("frozen in the midst of a write, to be ended", pid=pid, seconds=PATIENCE_SECONDS)
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError as error:
                log.error("could not be ended", pid=pid, error=str(error))


def frozen_writer(index: Path) -> int:
    """The process that is stopped while it holds the write lock; 0 if there is none."""
    try:
        status = index.stat()
    except FileNotFoundError:
        return 0
    place = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    for line in Path("/proc/locks").read_text().splitlines():
        match line.split():
            # "2: POSIX ADVISORY WRITE 4711 fe:00:131072 120 120"; one that still waits for it has an arrow there.
            case [_, "POSIX", _, "WRITE", pid, where, first, last] if where == place:
                if int(first) <= WRITE_LOCK_BYTE <= int(last) and _is_stopped(int(pid)):
                    return int(pid)
    return 0


def _is_stopped(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].startswith("T")
    except OSError:  # it has ended
        return False
