"""Processes: a child that dies with its parent, and process groups that end together."""

import contextlib
import ctypes
import os
import select
import signal
import subprocess
from collections import deque
from collections.abc import Sequence
from threading import Thread
from typing import Any

PR_SET_PDEATHSIG = 1
TAIL_LINES = 40
OPENMP = {"GOMP_SPINCOUNT": "30000"}
"""How long a runner's threads spin while they wait for each other. With libgomp's default, training all but stops when
another process wants the same cores; see docs/experiments.md."""
GLOO = {"GLOO_SOCKET_IFNAME": "lo"}
"""The ranks of a job are on one machine: Gloo listens on the loopback only, where no other machine reaches it."""


def die_with_parent(parent_pid: int) -> None:
    """Have the kernel send SIGKILL to this process when its parent ends. Linux only."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent_pid:  # it ended before the call
        os.kill(os.getpid(), signal.SIGKILL)


def wait(process: "subprocess.Popen[Any]", *, seconds: float) -> int | None:
    """Wait for the exit status; return None after `seconds`. Linux only.

    The kernel wakes the caller. `Popen.wait` with a timeout polls twenty times a second, and each time takes a core
    from the training that it waits for.
    """
    if process.poll() is None:
        pidfd = os.pidfd_open(process.pid)
        try:
            end = select.poll()
            end.register(pidfd, select.POLLIN)
            end.poll(1000 * seconds)
        finally:
            os.close(pidfd)
    return process.poll()


class Child:
    """A process in its own group. The last lines of its standard error are kept."""

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, start_new_session=True, env=OPENMP | GLOO | os.environ
        )
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait(self, seconds: float) -> int | None:
        """Wait for the exit status (negative: the signal); return None after `seconds`."""
        return wait(self._process, seconds=seconds)

    def ask(self) -> None:
        """Send SIGTERM to the process."""
        self._process.send_signal(signal.SIGTERM)

    def end(self) -> int:
        """Send SIGKILL to the group and return the exit status."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        return self._process.wait()

    def tail(self) -> str:
        """Return the last lines of standard error; complete once the process has ended."""
        self._reader.join(timeout=5)
        return "".join(self._tail).strip()

    def _read(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._tail.append(line)
            os.write(2, line.encode())
