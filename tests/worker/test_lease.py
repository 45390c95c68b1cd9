"""The lease is kept while the database answers, and given up in time when it does not."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy.exc import OperationalError

from store import payloads, runs, states
from store.errors import DatabaseAway, LeaseLost
from tests.worker.conftest import TINY
from worker.lease import Lease

one_database = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""Only one database is needed: the one that hangs is a stand-in."""


@pytest.fixture
def lease(db, settings, submit):
    job_id = submit(TINY)
    with db.write() as session:
        job = runs.claim(session, job_id=job_id, owner="test", lease_seconds=settings.lease_seconds)
    assert job is not None
    return Lease(db, job=job, settings=settings, claimed_at=time.monotonic())


@contextmanager
def hanging(monkeypatch, db) -> Iterator[None]:
    """Replace the database by one that takes every question and answers none, like a frozen server or a cut network."""
    answer = threading.Event()
    read = db.read

    @contextmanager
    def hang() -> Iterator[object]:
        answer.wait()
        with read() as session:
            yield session

    monkeypatch.setattr(db, "read", hang)
    yield
    answer.set()


def test_it_is_renewed_and_tells_of_a_wish(lease, db, wait_for):
    with lease:
        wait_for(lambda: lease.job.lease_until > lease.job.started_at + 7, what="a renewal")
        lease.check()
        with db.write() as session:
            held = runs.get_held(session, job_id=lease.job.id, attempt=1)
            states.move(session, job=held, status=states.PAUSING, reason=states.PAUSED_BY_CLIENT)
        wait_for(lambda: lease.job.status == states.PAUSING, seconds=5)


@one_database
def test_whoever_hangs_in_a_silent_database_is_told_before_the_lease_ends(lease, db, settings, monkeypatch):
    began = time.monotonic()
    with hanging(monkeypatch, db), lease:
        with pytest.raises(DatabaseAway):
            while time.monotonic() - began < settings.lease_seconds:
                lease.check()
                time.sleep(0.05)  # the watch's own rhythm, a little faster
        assert settings.lease_seconds * 0.9 < time.monotonic() - began < settings.lease_seconds


@one_database
def test_an_outage_that_is_shorter_than_the_lease_is_no_loss(lease, db, settings, monkeypatch, wait_for):
    """The outage lasts three quarters of the lease, as 45 seconds are of 60."""
    began = time.monotonic()
    with lease:
        with hanging(monkeypatch, db):
            while time.monotonic() - began < 0.75 * settings.lease_seconds:
                lease.check()
                time.sleep(0.05)  # the watch's own rhythm, a little faster
        monkeypatch.undo()
        renewed = lease.job.lease_until
        wait_for(lambda: lease.job.lease_until > renewed, seconds=3, what="a renewal")
        lease.check()


def test_refused_connections_are_waited_out(lease, db, monkeypatch, wait_for):
    calls = []

    def refuse() -> object:
        calls.append(1)
        raise OperationalError("select", {}, Exception("connection refused"))

    with monkeypatch.context() as patch:
        patch.setattr(db, "read", refuse)
        with lease:
            wait_for(lambda: len(calls) > 3)
            lease.check()


def test_another_attempts_claim_is_a_loss(lease, db, settings, wait_for):
    with db.write() as session:
        runs.release(session, job_id=lease.job.id, attempt=1, reason=payloads.Reason("worker_stopped", "test"))

    def lost() -> bool:
        try:
            lease.check()
        except LeaseLost:
            return True
        return False

    with lease:
        wait_for(lost, seconds=5)
