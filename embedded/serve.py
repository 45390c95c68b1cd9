"""`python -m embedded.serve`: the whole service on one machine, until Ctrl-C or SIGTERM.

Redis, unless SADDLE_REDIS_URL names one; the migrations; then API, worker and reconciler under honcho.
"""

import contextlib
import fcntl
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import honcho.manager
import httpx
from honcho.environ import parse_procfile
from honcho.printer import Printer

from embedded import redis
from store import migrations
from store.settings import Settings

PROCFILE = Path(__file__).parent.parent / "Procfile"
READY_SECONDS = 60.0


class AlreadyRunning(Exception):
    """Another stack uses the data folder."""


def serve() -> int:
    """Serve until told to stop; return the exit status, 0 after a stop that was asked for."""
    settings = Settings.read()
    with _only_one(settings.data_dir):
        migrations.upgrade(settings.database)
        broker = None if settings.redis_url else redis.start(settings.data_dir / "redis", launcher_pid=os.getpid())
        try:
            return _run(settings, redis_url=broker.url if broker else settings.redis)
        finally:
            if broker:
                broker.stop()


def _run(settings: Settings, *, redis_url: str) -> int:
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "PYTHONPATH": f"{PROCFILE.parent}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",
        "SADDLE_DATA_DIR": str(settings.data_dir.absolute()),
        "SADDLE_REDIS_URL": redis_url,
        "SADDLE_LAUNCHER": str(os.getpid()),
    }
    # The worker ends its runner within its own grace; honcho must not be quicker.
    honcho.manager.KILL_WAIT = settings.stop_grace_seconds + 15
    manager = honcho.manager.Manager(Printer(sys.stderr))
    for name, command in parse_procfile(PROCFILE.read_text()).processes.items():
        manager.add_process(name, command, env=environment)
    threading.Thread(target=_announce, args=(settings,), daemon=True).start()
    manager.loop()
    asked = {128 + signal.SIGINT, 128 + signal.SIGTERM}
    return 0 if manager.returncode in asked else int(manager.returncode or 1)


def _announce(settings: Settings) -> None:
    """Print where to go once everything answers, or what is still missing after a while."""
    host = "127.0.0.1" if settings.host in {"0.0.0.0", "::"} else settings.host
    url = f"http://{host}:{settings.port}"
    deadline = time.monotonic() + READY_SECONDS
    state = "no answer"
    while time.monotonic() < deadline:
        try:
            answer = httpx.get(f"{url}/readyz", timeout=2)
        except httpx.HTTPError as error:
            state = str(error)
        else:
            if answer.status_code == httpx.codes.OK:
                key = settings.api_key_file.absolute() if settings.auth == "keys" else "not needed (SADDLE_AUTH=none)"
                print(
                    f"\nSaddle is ready.\n  dashboard  {url}/\n  API        {url}/docs\n  API key    {key}\n",
                    flush=True,
                )
                return
            state = answer.text
        time.sleep(0.2)  # the processes start in any order, and only the answer to a request says that all have
    print(f"Saddle is not ready after {READY_SECONDS:.0f} s: {state}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def _only_one(data_dir: Path) -> Iterator[None]:
    """Keep every other stack off the data folder while the block runs. Raises AlreadyRunning."""
    data_dir.mkdir(parents=True, exist_ok=True)
    with (data_dir / "serve.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(f"a stack is running on {data_dir.absolute()} already") from None
        yield


if __name__ == "__main__":
    try:
        sys.exit(serve())
    except (AlreadyRunning, RuntimeError) as error:
        sys.exit(f"error: {error}")
