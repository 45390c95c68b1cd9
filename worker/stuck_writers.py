"""Stuck writers: processes that are stopped (SIGSTOP) during a write, and so block every other writer.

PostgreSQL ends such a session by itself (see `store.database`). SQLite locks a file: the lock is free when its holder
goes on or ends. Linux only.
"""

import os
import signal
import threading
import time
from pathlib import Path

import structlog
from sqlalchemy import URL
from sqlalchemy.engine import make_url

log = structlog.get_logger()
PATIENCE_SECONDS = 10.0
"""Longer than any write takes, and shorter than others wait for the lock (`store.database.BUSY_SECONDS`)."""
WRITE_LOCK_BYTE = 120
"""The byte of the `-shm` file that a writer locks in WAL mode; https://www.sqlite.org/walformat.html, section 2.3.1."""


def watch(url: str | URL, *, stop: threading.Event) -> None:
    """End each process that stays stopped while it holds an SQLite database's write lock. Return when `stop` is set."""
    database = make_url(url)
    if database.get_backend_name() != "sqlite" or not database.database:
        return
    index = Path(f"{database.database}-shm")
    seen, since = 0, 0.0
    while not stop.wait(1.0):
        pid = find(index)
        if pid != seen:
            seen, since = pid, time.monotonic()
        elif pid and time.monotonic() - since > PATIENCE_SECONDS:
            since = time.monotonic()
            log.error("stopped during a write, to be ended", pid=pid, seconds=PATIENCE_SECONDS)
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError as error:
                log.error("a stuck writer could not be ended", pid=pid, error=str(error))


def find(index: Path) -> int:
    """Return the process that is stopped while it holds the write lock; 0 if there is none."""
    try:
        status = index.stat()
    except FileNotFoundError:
        return 0
    place = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    for line in Path("/proc/locks").read_text().splitlines():
        match line.split():
            # "2: POSIX ADVISORY WRITE 4711 fe:00:131072 120 120"; the line of a process that waits has "->" after "2:".
            case [_, "POSIX", _, "WRITE", pid, where, first, last] if where == place:
                if int(first) <= WRITE_LOCK_BYTE <= int(last) and _is_stopped(int(pid)):
                    return int(pid)
    return 0


def _is_stopped(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].startswith("T")
    except OSError:  # it has ended
        return False
