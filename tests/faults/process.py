"""A process of the service: killed, stopped, frozen and started again by its pid."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

ROOT = Path(__file__).parent.parent.parent


class Process:
    """A process whose output goes to the end of a file."""

    def __init__(self, command: Sequence[str], *, environment: Mapping[str, str], log: Path) -> None:
        self.command = command
        self.environment = environment
        self.log = log
        self.start()

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command, cwd=ROOT, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        """Send SIGKILL; return when the process is gone."""
        self._process.kill()
        self._process.wait()

    def ask(self) -> None:
        """Send SIGTERM."""
        self._process.terminate()

    def stop(self, *, seconds: float = 30) -> int:
        """Send SIGTERM, and SIGKILL after `seconds`. Return the exit status."""
        self.ask()
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def freeze(self) -> None:
        """Send SIGSTOP to this process alone, not to its children."""
        psutil.Process(self.pid).suspend()

    def thaw(self) -> None:
        if self.is_alive:
            psutil.Process(self.pid).resume()

    def restart(self) -> None:
        """Restart as after a crash: SIGKILL, then start again."""
        self.kill()
        self.start()
