"""API keys and browser sessions: random secrets, stored as SHA-256 only.

A key has 256 random bits, so a fast hash is enough: no dictionary helps to guess it.
"""

import hashlib
import secrets

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from store import database, ids, tables
from store.errors import Conflict, NotFound

ROLES = ("read", "write", "admin")
DEFAULT_TENANT = "default"
PREFIX = "sk_"
SESSION_SECONDS = 14 * 24 * 3600


def create(session: Session, *, tenant: str, name: str, role: str) -> tuple[tables.ApiKey, str]:
    """Create a key; return its row and its secret, which can be shown only now."""
    secret = PREFIX + secrets.token_urlsafe(32)
    row = tables.ApiKey(
        id=ids.new("key"),
        tenant=tenant,
        name=name,
        role=role,
        digest=_digest(secret),
        created_at=session.execute(select(database.now())).scalar_one(),
    )
    session.add(row)
    session.flush()
    return row, secret


def find(session: Session, *, secret: str) -> tables.ApiKey | None:
    """Return the key of a secret; None if there is none or it was revoked."""
    return session.scalar(
        select(tables.ApiKey).where(tables.ApiKey.digest == _digest(secret), tables.ApiKey.revoked_at.is_(None))
    )


def page(session: Session, *, limit: int, after: str | None) -> tuple[list[tables.ApiKey], bool]:
    """Return a page of keys, newest first, revoked ones included, and whether there are more."""
    query = select(tables.ApiKey).order_by(tables.ApiKey.id.desc()).limit(limit + 1)
    if after is not None:
        query = query.where(tables.ApiKey.id < after)
    rows = list(session.scalars(query))
    return rows[:limit], len(rows) > limit


def revoke(session: Session, *, key_id: str) -> tables.ApiKey:
    """Revoke a key. Raises NotFound; Conflict for the last admin key, without which nobody could make another."""
    row = session.get(tables.ApiKey, key_id)
    if row is None:
        raise NotFound(f"no key {key_id}")
    if row.revoked_at is None:
        if row.role == "admin" and len(living_admins(session)) == 1:
            raise Conflict(f"{key_id} is the last admin key: create another one first")
        row.revoked_at = session.execute(select(database.now())).scalar_one()
        session.execute(delete(tables.LoginSession).where(tables.LoginSession.key_id == key_id))
    return row


def living_admins(session: Session) -> list[tables.ApiKey]:
    query = select(tables.ApiKey).where(tables.ApiKey.role == "admin", tables.ApiKey.revoked_at.is_(None))
    return list(session.scalars(query.with_for_update()))


def log_in(session: Session, *, key: tables.ApiKey) -> str:
    """Create a browser session; return the cookie's value."""
    token = secrets.token_urlsafe(32)
    at = session.execute(select(database.now())).scalar_one()
    session.execute(delete(tables.LoginSession).where(tables.LoginSession.expires_at < at))
    session.add(tables.LoginSession(digest=_digest(token), key_id=key.id, expires_at=at + SESSION_SECONDS))
    return token


def find_session(session: Session, *, token: str) -> tables.ApiKey | None:
    """Return the key of a browser session; None if either has ended."""
    return session.scalar(
        select(tables.ApiKey)
        .join(tables.LoginSession, tables.LoginSession.key_id == tables.ApiKey.id)
        .where(
            tables.LoginSession.digest == _digest(token),
            tables.LoginSession.expires_at > database.now(),
            tables.ApiKey.revoked_at.is_(None),
        )
    )


def log_out(session: Session, *, token: str) -> None:
    session.execute(delete(tables.LoginSession).where(tables.LoginSession.digest == _digest(token)))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
