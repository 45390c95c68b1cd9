"""Crew: confined processes that decode an uploaded file together. Its pictures come out in the file's order."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

from models.data.importers import decoder
from models.data.importers.decoder import BLOCK, Task
from models.data.importers.fitting import Wish
from models.data.importers.limits import Limits
from models.data.importers.messages import End, Lost, Reader, Told

MOST_LOST = 100
"""Pictures that may end the process that reads them. With one more, the whole file is given up."""
BEGIN_SECONDS = 900.0
"""One that is started again has to read the file up to the place where the one before it ended."""
END_SECONDS = 5.0
INHERITED = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL")
"""Variables that such a process gets. The service's settings, which hold passwords, are not among them."""
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


class CrewFailed(Exception):
    """The processes end again and again."""


def decoded(path: Path, *, form: str, wish: Wish, limits: Limits, processes: int) -> Iterator[tuple[Told | End, bytes]]:
    """Yield what became of each entry and, for those that were not refused, its pixels; last, the End.

    Raises SourceRefused for a file that is refused as a whole, CrewFailed.
    """
    tasks = [Task(str(path), form, wish, limits, rank, processes, first=0, lost={}) for rank in range(processes)]
    with ExitStack() as stack:
        company: list[Reader] = []
        members = [stack.enter_context(closing(_Member(task, company))) for task in tasks]
        entry = 0
        while True:
            told, pixels = members[entry // BLOCK % processes].next(entry)
            yield told, pixels
            if isinstance(told, End):
                return
            entry += 1


def environment() -> dict[str, str]:
    """Return the environment of a process that reads hostile data."""
    return {name: os.environ[name] for name in INHERITED if name in os.environ} | ONE_THREAD


class _Member:
    """One process. It is started again whenever a picture has ended it, or holds it up."""

    def __init__(self, task: Task, company: list[Reader]) -> None:
        self._task = task
        self._company = company
        self._begun = False
        self._process, self._reader = _started(task, company)

    def next(self, entry: int) -> tuple[Told | End, bytes]:
        """Return what became of the process's next entry, or the file's end. Raises SourceRefused, CrewFailed."""
        while True:
            try:
                if not self._begun:
                    self._reader.begin(seconds=BEGIN_SECONDS)
                    self._begun = True
                told, pixels = self._reader.read(seconds=self._task.limits.picture_seconds)
                if not isinstance(told, End) and (not isinstance(told, Told) or told.entry != entry):
                    raise Lost("sent nonsense")
                return told, pixels
            except Lost as error:
                how = self._end(error)
                self._task = replace(self._task, first=entry, lost=self._task.lost | {entry: f"cannot be read: {how}"})
                if len(self._task.lost) > MOST_LOST:
                    raise CrewFailed(f"more than {MOST_LOST} pictures cannot be read; the last: {how}") from error
                self._begun = False
                self._process, self._reader = _started(self._task, self._company)

    def close(self) -> None:
        self._reader.close()
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _end(self, error: Lost) -> str:
        """End the process; return what had happened to it, for people."""
        status = None
        if error.ended:
            status = self._process.wait(END_SECONDS)
        self.close()
        if status is None:
            return f"its decoder {error}"
        return f"its decoder ended {f'by signal {-status}' if status < 0 else f'with status {status}'}"


def _started(task: Task, company: list[Reader]) -> tuple["subprocess.Popen[bytes]", Reader]:
    """Start a process and give it its task. Return it, and the reader of its messages."""
    process = subprocess.Popen(
        [sys.executable, "-m", "models.data.importers.decoder"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(),
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process.stdin as stdin:
        stdin.write(decoder.dumped(task))
    pixel_bytes = (1 if task.wish.channels == 1 else 3) * task.wish.resolution**2
    longest = task.limits.message_bytes
    return process, Reader(process.stdout.fileno(), pixel_bytes=pixel_bytes, longest=longest, company=company)
