"""The database: engine, clock and units of work, the same on SQLite and PostgreSQL."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import structlog
from sqlalchemy import URL, Connection, Double, Engine, create_engine, event, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from store import tables

log = structlog.get_logger()
BUSY_SECONDS = 30
POSTGRESQL_OPTIONS = "-c lock_timeout=20000 -c idle_in_transaction_session_timeout=10000"
"""No unit of work is idle for ten seconds. A session that is belongs to a frozen process; others wait for its locks."""
SQLITE_PRAGMAS = (
    "journal_mode = WAL",
    "synchronous = FULL",
    f"busy_timeout = {BUSY_SECONDS * 1000}",
    "foreign_keys = ON",
)
T = TypeVar("T")


class now(FunctionElement[float]):  # noqa: N801 (reads as the SQL function it is)
    """The time on the database's clock, in seconds since the epoch."""

    type = Double()
    inherit_cache = True


@compiles(now, "postgresql")
def _now_postgresql(element: now, compiler: SQLCompiler, **_: Any) -> str:
    return "CAST(extract(epoch FROM clock_timestamp()) AS double precision)"


@compiles(now, "sqlite")
def _now_sqlite(element: now, compiler: SQLCompiler, **_: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@dataclass(frozen=True)
class Outbox:
    """Events and hints to send once the transaction is committed, never before."""

    events: list[tables.Event] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)


def outbox(session: Session) -> Outbox:
    box: Outbox = session.info["outbox"]
    return box


class Database:
    """Hands out units of work. `deliver` is given each committed unit's outbox; it must not raise."""

    def __init__(self, url: str | URL, *, deliver: Callable[[Outbox], None]) -> None:
        self.engine = _engine(url)
        self._deliver = deliver

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Open a transaction; it is committed at the block's end and rolled back by an exception."""
        with Session(self.engine, expire_on_commit=False, info={"outbox": Outbox()}) as session:
            session.connection(execution_options={"saddle_write": True})
            yield session
            session.commit()
        self._deliver(outbox(session))

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a transaction that changes nothing."""
        with Session(self.engine, expire_on_commit=False, info={"outbox": Outbox()}) as session:
            yield session

    def ping(self) -> None:
        """Ask for an answer. Raises OperationalError if the database is away or has no tables."""
        with self.read() as session:
            session.execute(select(tables.Job.id).limit(1)).all()

    def close(self) -> None:
        self.engine.dispose()


def is_outage(error: BaseException) -> bool:
    """Return whether the database was away or busy, so that the same unit of work may succeed later."""
    if isinstance(error, OperationalError) and _is_refused_for_good(error.orig):
        return False
    return isinstance(error, OperationalError | InterfaceError) or (
        isinstance(error, DBAPIError) and error.connection_invalidated
    )


def retry(work: Callable[[], T], *, seconds: float) -> T:
    """Run a unit of work, again while the database is away. After `seconds` its error is raised."""
    deadline = time.monotonic() + seconds
    pause = 0.1
    while True:
        try:
            return work()
        except DBAPIError as error:
            if not is_outage(error) or time.monotonic() + pause > deadline:
                raise
            log.warning("database away, trying again", error=str(error.orig), pause_seconds=pause)
        time.sleep(pause)  # doubled each time: many processes that wait must not hinder a database that comes back
        pause = min(pause * 2, 5.0)


def make_folder(url: str | URL) -> None:
    """Make the folder of an SQLite file, if it is not there."""
    address = make_url(url)
    if address.get_backend_name() == "sqlite" and address.database:
        Path(address.database).parent.mkdir(parents=True, exist_ok=True)


def _engine(url: str | URL) -> Engine:
    if make_url(url).get_backend_name() == "sqlite":
        make_folder(url)
        engine = create_engine(
            url, pool_size=20, max_overflow=40, connect_args={"check_same_thread": False, "timeout": BUSY_SECONDS}
        )
        event.listen(engine, "connect", _sqlite_connect)
        event.listen(engine, "begin", _sqlite_begin)
        return engine
    return create_engine(
        url,
        pool_size=20,
        max_overflow=40,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": 5,
            "options": POSTGRESQL_OPTIONS,
        },
    )


def _is_refused_for_good(error: BaseException | None) -> bool:
    """Return whether the driver says that the statement itself is at fault. SQLAlchemy calls both operational errors.

    For SQLite it is a missing table or column, for PostgreSQL a statement beyond its limits (error class 54).
    """
    sqlite_code: int | None = getattr(error, "sqlite_errorcode", None)
    sqlstate: str | None = getattr(error, "sqlstate", None)
    return sqlite_code == sqlite3.SQLITE_ERROR or (sqlstate is not None and sqlstate.startswith("54"))


def _sqlite_connect(connection: Any, record: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # the driver's own BEGIN is late and deferred
    cursor = connection.cursor()
    for pragma in SQLITE_PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _sqlite_begin(connection: Connection) -> None:
    # A writer takes the lock at once: a deferred one that upgrades later fails with "locked" instead of waiting.
    write = connection.get_execution_options().get("saddle_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
