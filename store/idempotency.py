"""Idempotency keys: a creating POST that is sent again gets its first answer.

The key's row is written in the transaction that creates. A second request with the key waits for the first one's
transaction (on the row in PostgreSQL, on the write lock in SQLite) and then finds its answer.
"""

from dataclasses import dataclass

from sqlalchemy import delete
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from store import database, tables
from store.errors import IdempotencyMismatch

KEPT_SECONDS = 7 * 24 * 3600


@dataclass(frozen=True)
class Answer:
    status: int
    location: str
    body: str


PENDING = Answer(status=0, location="", body="")


def reserve(session: Session, *, tenant: str, key: str, fingerprint: str) -> Answer | None:
    """Take a new key, which this transaction must `fulfil`, and return None; or return the first request's answer.

    Raises IdempotencyMismatch if the first request was another one.
    """
    dialect = session.get_bind().dialect.name
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    taken = session.execute(
        insert(tables.IdempotencyKey)
        .values(tenant=tenant, key=key, fingerprint=fingerprint, created_at=database.now(), **vars(PENDING))
        .on_conflict_do_nothing()
        .returning(tables.IdempotencyKey.key)
    ).one_or_none()
    if taken is not None:
        return None
    return find(session, tenant=tenant, key=key, fingerprint=fingerprint)


def find(session: Session, *, tenant: str, key: str, fingerprint: str) -> Answer | None:
    """Return the committed answer to an earlier request with the key, if any. Raises IdempotencyMismatch."""
    row = session.get(tables.IdempotencyKey, (tenant, key), populate_existing=True)
    if row is None:
        return None
    if row.fingerprint != fingerprint:
        raise IdempotencyMismatch(f"the Idempotency-Key {key!r} was used before with another request")
    return Answer(status=row.status, location=row.location, body=row.body)


def fulfil(session: Session, *, tenant: str, key: str, answer: Answer) -> None:
    """Store the answer under a key that this transaction took."""
    row = session.get_one(tables.IdempotencyKey, (tenant, key))
    row.status, row.location, row.body = answer.status, answer.location, answer.body


def forget_old(session: Session) -> None:
    """Delete the keys that are older than `KEPT_SECONDS`."""
    table = tables.IdempotencyKey
    session.execute(delete(table).where(table.created_at < database.now() - KEPT_SECONDS))
