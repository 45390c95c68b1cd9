"""Supervisors that run beside a test, and the processes that they start."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psutil


@contextmanager
def in_background(supervise: Callable[..., None], job_id: str, **options: object) -> Iterator[threading.Thread]:
    """Supervise a job while the block runs; wait for the attempt's end after it."""
    thread = threading.Thread(target=supervise, args=(job_id,), kwargs=options)
    thread.start()
    try:
        yield thread
    finally:
        thread.join(60)
        assert not thread.is_alive()


def runners(module: str = "worker.runner") -> list[psutil.Process]:
    """Return the processes of a module that this test has started."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # ended meanwhile, or a zombie
            if module in process.cmdline():
                found.append(process)
    return found
