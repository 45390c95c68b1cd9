"""Addresses of the database and of Redis: what an operator may write, checked before anything connects.

Messages never repeat an address, which may hold a password.
"""

from urllib.parse import urlsplit

from psycopg import ProgrammingError
from psycopg.conninfo import make_conninfo
from redis.connection import parse_url
from sqlalchemy import URL
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

POSTGRESQL = "postgresql+psycopg"
POSTGRESQL_EXAMPLE = f"{POSTGRESQL}://user:password@host:5432/name"
DATABASE_EXAMPLES = f"write {POSTGRESQL_EXAMPLE}, or leave it empty for SQLite in the data folder"
SQLITE_OPTIONS = {"uri", "timeout", "isolation_level", "detect_types", "check_same_thread", "cached_statements"}
REDIS_EXAMPLE = "write redis://:password@host:6379/0, or rediss:// for TLS"
ENCODED = "special characters of a password are percent-encoded, such as %40 for @"


def check_database(address: str) -> str:
    """Return the address that SQLAlchemy is given; postgres:// and postgresql:// mean psycopg 3. Raises ValueError."""
    scheme, separator, rest = address.partition("://")
    if not separator:
        raise ValueError(f"is no address; {DATABASE_EXAMPLES}")
    if scheme in {"postgres", "postgresql", POSTGRESQL}:
        return _check_postgresql(f"{POSTGRESQL}://{rest}")
    if scheme.startswith(("postgres+", "postgresql+")):
        raise ValueError(f"begins with {scheme}://, but Saddle uses the driver psycopg; write {POSTGRESQL_EXAMPLE}")
    if scheme in {"sqlite", "sqlite+pysqlite"}:
        return _check_sqlite(address)
    raise ValueError(f"begins with {scheme[:40]}://, but Saddle needs PostgreSQL or SQLite; {DATABASE_EXAMPLES}")


def check_redis(address: str) -> str:
    """Return the address. Raises ValueError."""
    scheme, separator, _ = address.partition("://")
    if not separator or scheme not in {"redis", "rediss"}:
        raise ValueError(f"does not begin with redis://; {REDIS_EXAMPLE}")
    try:
        parse_url(address)  # type: ignore[no-untyped-call]  # redis leaves it untyped
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        raise ValueError(f"has a host, port or option that cannot be read; {REDIS_EXAMPLE}; {ENCODED}") from None
    number = parts.path.removeprefix("/")
    if number and not (number.isascii() and number.isdigit()):
        raise ValueError(f"ends with /{number[:40]}, which is no number of a Redis database; {REDIS_EXAMPLE}")
    if port == 0:
        raise ValueError(f"has port 0; {REDIS_EXAMPLE}")
    return address


def sqlite(path: str) -> URL:
    """Return the address of an SQLite file. Made of parts: in a text, a path's ?, # and % would mean something else."""
    return URL.create("sqlite", database=path)


def _check_postgresql(address: str) -> str:
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        raise ValueError(f"has a host or port that cannot be read; write {POSTGRESQL_EXAMPLE}; {ENCODED}") from None
    if url.port is not None and not 1 <= url.port <= 65535:
        raise ValueError(f"has port {url.port}, but ports are 1 to 65535; write {POSTGRESQL_EXAMPLE}")
    if "@" in (url.host or ""):
        raise ValueError(f"has two @; write {POSTGRESQL_EXAMPLE}; {ENCODED}")
    for option in url.query:
        try:
            make_conninfo(**{option: "x"})
        except ProgrammingError:
            raise ValueError(f"has the option {option[:40]!r}, which PostgreSQL does not know; leave it out") from None
    return address


def _check_sqlite(address: str) -> str:
    form = "write sqlite:////folder/saddle.db, or leave it empty for SQLite in the data folder"
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        raise ValueError(f"cannot be read; {form}") from None
    if url.host or url.username or url.port:
        raise ValueError(f"has two slashes before the path, which take three, or four for an absolute one; {form}")
    if not url.database or url.database == ":memory:" or url.query.get("mode") == "memory":
        raise ValueError(f"names no file, which every process of an installation must share; {form}")
    # Read from the text: SQLAlchemy drops an option without a value, so a path with a ? would end there in silence.
    options = [option.partition("=")[0] for option in address.partition("?")[2].split("&")] if "?" in address else []
    unknown = [option for option in options if option not in SQLITE_OPTIONS]
    if unknown and "uri" not in options:
        said = f"has the option {unknown[0][:40]!r}, which SQLite does not know"
        raise ValueError(f"{said}; a ? in a path is written %3F")
    return address
