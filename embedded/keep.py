"""`python -m embedded.keep LAUNCHER_PID COMMAND…`: runs a command again whenever it dies, until told to stop.

honcho ends all processes when one ends. This command restarts a killed process instead. It stops at SIGTERM or SIGINT,
or when the launcher is gone.
"""

import os
import signal
import subprocess
import sys
import time

from worker import process

LOOK_SECONDS = 0.5
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
STEADY_SECONDS = 30.0
"""A command that ran for this long was healthy: its next death counts as the first."""
KILL_SECONDS = 90.0


def keep(launcher_pid: int, command: list[str]) -> int:
    """Run the command until told to stop; return the status of its last run."""
    stopping: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: stopping.append(number))
    pause = FIRST_PAUSE_SECONDS
    while True:
        began = time.monotonic()
        child = subprocess.Popen(command)
        status = _wait(child, launcher_pid=launcher_pid, stopping=stopping)
        if stopping or not _is_alive(launcher_pid):
            return status
        if time.monotonic() - began > STEADY_SECONDS:
            pause = FIRST_PAUSE_SECONDS
        print(f"{command} ended with status {status}: again in {pause} s", file=sys.stderr, flush=True)
        resume_at = time.monotonic() + pause
        while time.monotonic() < resume_at and not stopping and _is_alive(launcher_pid):
            # In short pieces: neither a signal nor the launcher's end waits for the end of the pause.
            time.sleep(0.1)
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
        if stopping or not _is_alive(launcher_pid):
            return status


def _wait(child: subprocess.Popen[bytes], *, launcher_pid: int, stopping: list[int]) -> int:
    asked_at: float | None = None
    while True:
        if (status := process.wait(child, seconds=LOOK_SECONDS)) is not None:
            return status
        if asked_at is None and (stopping or not _is_alive(launcher_pid)):
            # honcho and a terminal signal the whole group, so the command has that signal already: a second one would
            # cut its orderly end short.
            if not stopping:
                child.terminate()
            asked_at = time.monotonic()
        if asked_at is not None and time.monotonic() - asked_at > KILL_SECONDS:
            child.kill()


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(keep(int(sys.argv[1]), sys.argv[2:]))
