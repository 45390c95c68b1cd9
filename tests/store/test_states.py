"""Transitions between states: every change that a client or a runner can make, from every state."""

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy.orm import Session

from store import jobs, runs, states
from store.database import Database
from store.errors import Conflict, StoreError
from tests.store.rows import REASON, claim, create, get, told_states

Change = Callable[[Session, str], object]


@pytest.fixture(scope="module")
def db(module_database_url: str) -> Iterator[Database]:
    """One database for all tests: each has a job of its own."""
    database = Database(module_database_url, deliver=lambda outbox: None)
    yield database
    database.close()


def by_client(change: Callable[..., object]) -> Change:
    return lambda session, job_id: change(session, job_id=job_id, tenant="default")


def by_runner(change: Callable[..., object], **values: object) -> Change:
    return lambda session, job_id: change(session, job_id=job_id, attempt=1, reason=REASON, **values)


CHANGES: dict[str, Change] = {
    "claim": lambda session, job_id: runs.claim(session, job_id=job_id, owner="w1", lease_seconds=60),
    "cancel": by_client(jobs.cancel),
    "pause": by_client(jobs.pause),
    "resume": by_client(jobs.resume),
    "retry": by_client(jobs.retry),
    "succeed": by_runner(runs.finish, status="succeeded"),
    "diverge": by_runner(runs.finish, status="diverged"),
    "pause on failure": by_runner(runs.pause_on_failure),
    "release": by_runner(runs.release),
    "crash": by_runner(runs.record_crash, backoff_seconds=0),
    "last crash": by_runner(runs.record_crash, backoff_seconds=0),
}
WAYS = {
    "queued": (),
    "running": ("claim",),
    "pausing": ("claim", "pause"),
    "paused": ("pause",),
    "cancelling": ("claim", "cancel"),
    "succeeded": ("claim", "succeed"),
    "diverged": ("claim", "diverge"),
    "failed": ("claim", "last crash"),
    "cancelled": ("cancel",),
}
# What becomes of a job; a change that is not named is refused, or finds nothing to take.
NEXT = {
    "queued": {"claim": "running", "cancel": "cancelled", "pause": "paused"},
    "running": {
        "cancel": "cancelling",
        "pause": "pausing",
        "succeed": "succeeded",
        "diverge": "diverged",
        "pause on failure": "paused",
        "release": "queued",
        "crash": "queued",
        "last crash": "failed",
    },
    "pausing": {
        "cancel": "cancelling",
        "pause": "pausing",
        "succeed": "succeeded",
        "diverge": "diverged",
        "pause on failure": "paused",
        "release": "paused",
        "crash": "paused",
        "last crash": "failed",
    },
    "paused": {"cancel": "cancelled", "pause": "paused", "resume": "queued"},
    "cancelling": dict.fromkeys(
        ("succeed", "diverge", "pause on failure", "release", "crash", "last crash"), "cancelled"
    )
    | {"cancel": "cancelling"},
    "succeeded": {},
    "diverged": {"retry": "queued"},
    "failed": {"retry": "queued"},
    "cancelled": {"cancel": "cancelled"},
}


def make(db: Database, change: str, job_id: str) -> None:
    with db.write() as session:
        CHANGES[change](session, job_id)


def a_job_that_is(db: Database, status: str, *, change: str) -> str:
    dies = "last crash" in (change, *WAYS[status])
    job_id = create(db, max_attempts=1 if dies else 5)
    for step in WAYS[status]:
        make(db, step, job_id)
    assert get(db, job_id).status == status
    return job_id


def test_every_state_is_reached_and_tried() -> None:
    assert set(WAYS) == set(NEXT) == set(states.STATUSES)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("status", WAYS)
def test_what_becomes_of_a_job(db: Database, status: str, change: str) -> None:
    job_id = a_job_that_is(db, status, change=change)
    told = told_states(db, job_id)
    if (follows := NEXT[status].get(change)) is not None:
        make(db, change, job_id)
        assert get(db, job_id).status == follows
    elif change == "claim":
        assert claim(db, job_id, owner="another") is None
        assert get(db, job_id).status == status
    else:
        with pytest.raises(StoreError) as refusal, db.write() as session:
            CHANGES[change](session, job_id)
        assert status in str(refusal.value) or "no longer held" in str(refusal.value)
        assert get(db, job_id).status == status
        assert told_states(db, job_id) == told, "what is refused is not told"
    job = get(db, job_id)
    assert (job.lease_owner is not None) == (job.status in states.HELD)
    assert (job.ended_at is not None) == (job.status in states.ENDED)


def test_no_state_follows_itself_and_none_is_skipped() -> None:
    for status, nexts in states.TRANSITIONS.items():
        assert status not in nexts
    assert states.CANCELLED in states.TRANSITIONS[states.CANCELLING]
    assert states.TRANSITIONS[states.CANCELLED] == frozenset(), "a cancel is final"


def test_a_transition_that_is_not_listed_is_a_conflict(db: Database) -> None:
    job_id = create(db)
    with pytest.raises(Conflict, match="cannot become succeeded"), db.write() as session:
        job = jobs.get(session, job_id=job_id, tenant="default")
        states.move(session, job=job, status=states.SUCCEEDED, reason=REASON)
