import pytest
from redis import Redis
from sqlalchemy.exc import OperationalError

from store import runs
from store.queue import Queue
from tests.worker.conftest import TINY
from worker.reconciler import Patience, reconcile


def claim(db, job_id: str, *, lease_seconds: float) -> None:
    with db.write() as session:
        assert runs.claim(session, job_id=job_id, owner="test", lease_seconds=lease_seconds)


def test_a_lost_hint_is_sent_again(db, broker, settings, submit):
    submit(TINY)
    with Redis.from_url(settings.redis) as redis:
        redis.flushall()
    reconcile(db, broker, settings=settings)
    assert broker.depth() == 1


def test_hints_do_not_pile_up(db, broker, settings, submit):
    for _ in range(3):
        submit(TINY)
    for _ in range(5):
        reconcile(db, broker, settings=settings)
    assert broker.depth() == 3


def test_a_job_whose_runner_is_gone_is_queued_and_hinted(db, broker, settings, submit, job_of):
    job_id = submit(TINY)
    claim(db, job_id, lease_seconds=-1)
    with Redis.from_url(settings.redis) as redis:
        redis.flushall()
    reconcile(db, broker, settings=settings)
    assert job_of(job_id).status == "queued"
    assert broker.depth() == 1


def test_a_living_runner_is_left_alone(db, broker, settings, submit, job_of):
    job_id = submit(TINY)
    claim(db, job_id, lease_seconds=3600)
    reconcile(db, broker, settings=settings)
    assert job_of(job_id).status == "running"


def test_an_absent_broker_does_not_keep_it_from_freeing_jobs(db, settings, submit, job_of):
    job_id = submit(TINY)
    claim(db, job_id, lease_seconds=-1)
    away = Queue("redis://127.0.0.1:1/0")
    reconcile(db, away, settings=settings)
    away.close()
    assert job_of(job_id).status == "queued"


class Clock:
    """A clock that shows the time it is set to."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("worker.reconciler.time", clock)
    return clock


def test_after_an_outage_runners_have_the_time_of_a_lease_to_come_back(db, clock, monkeypatch):
    patience = Patience(seconds=60, stall_seconds=10)
    patience.check(db)
    assert patience.is_over
    with monkeypatch.context() as patch:
        patch.setattr(db, "ping", refuse)
        with pytest.raises(OperationalError):
            patience.check(db)
    patience.check(db)
    clock.now = 59
    assert not patience.is_over
    clock.now = 61
    assert patience.is_over


def test_a_database_that_hung_was_away(db, clock, monkeypatch):
    patience = Patience(seconds=60, stall_seconds=10)
    with monkeypatch.context() as patch:
        patch.setattr(db, "ping", lambda: setattr(clock, "now", 11))
        patience.check(db)
    assert not patience.is_over


def test_while_it_is_patient_it_frees_nobody(db, broker, settings, submit, job_of):
    job_id = submit(TINY)
    claim(db, job_id, lease_seconds=-1)
    reconcile(db, broker, settings=settings, frees=False)
    assert job_of(job_id).status == "running"


def refuse() -> None:
    raise OperationalError("select", {}, Exception("connection refused"))
