import pytest
from sqlalchemy import select, update

from store import keys, tables
from store.errors import Conflict, NotFound


def make(db, **changes):
    with db.write() as session:
        return keys.create(session, **({"tenant": "default", "name": "ci", "role": "write"} | changes))


def test_a_key_is_found_by_its_secret_which_is_not_kept(db):
    row, secret = make(db)
    with db.read() as session:
        found = keys.find(session, secret=secret)
        assert found is not None
        assert found.id == row.id
        assert keys.find(session, secret=secret + "x") is None
        stored = session.execute(select(tables.ApiKey)).scalar_one()
    assert all(secret not in str(value) for value in vars(stored).values())


def test_a_revoked_key_and_its_sessions_are_dead(db):
    make(db, role="admin")
    row, secret = make(db)
    with db.write() as session:
        token = keys.log_in(session, key=row)
    with db.write() as session:
        found = keys.find_session(session, token=token)
        assert found is not None
        assert found.id == row.id
        keys.revoke(session, key_id=row.id)
    with db.read() as session:
        assert keys.find(session, secret=secret) is None
        assert keys.find_session(session, token=token) is None


def test_the_last_admin_key_cannot_be_revoked(db):
    row, _ = make(db, role="admin")
    with pytest.raises(Conflict, match="last admin"), db.write() as session:
        keys.revoke(session, key_id=row.id)
    with pytest.raises(NotFound), db.write() as session:
        keys.revoke(session, key_id="key_none")


def test_a_session_ends_by_log_out_and_by_age(db):
    row, _ = make(db)
    with db.write() as session:
        gone, old = keys.log_in(session, key=row), keys.log_in(session, key=row)
    with db.write() as session:
        keys.log_out(session, token=gone)
        assert keys.find_session(session, token=gone) is None
        assert keys.find_session(session, token=old) is not None
        session.execute(update(tables.LoginSession).values(expires_at=0))
        assert keys.find_session(session, token=old) is None
