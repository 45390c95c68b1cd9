"""Jobs as clients see and change them, on both databases."""

import pytest

from store import events, jobs, runs
from store.errors import Conflict, NotFound
from tests.store.rows import claim, crash, create, get, new_job, told_states


def test_a_created_job_is_queued_and_hinted_after_the_commit(db, delivered):
    with db.write() as session:
        job = jobs.create(session, new=new_job())
        assert delivered.outboxes == []
    assert delivered.hints == [job.id]
    assert get(db, job.id).status == "queued"


def test_nothing_is_told_when_the_transaction_fails(db, delivered):
    with pytest.raises(RuntimeError, match="boom"), db.write() as session:
        jobs.create(session, new=new_job())
        raise RuntimeError("boom")
    assert delivered.outboxes == []
    with db.read() as session:
        assert jobs.counts(session)["queued"] == 0


def test_a_queued_job_is_cancelled_at_once(db):
    job_id = create(db)
    with db.write() as session:
        jobs.cancel(session, job_id=job_id, tenant="default")
    assert told_states(db, job_id) == ["queued", "cancelling", "cancelled"]
    assert claim(db, job_id) is None


def test_another_tenants_job_is_not_there(db):
    job_id = create(db, tenant="other")
    for act in (jobs.get, jobs.cancel, jobs.delete):
        with pytest.raises(NotFound), db.write() as session:
            act(session, job_id=job_id, tenant="default")
    with db.read() as session:
        rows, _ = jobs.page(session, tenant="default", limit=10, after=None, status=None, dataset=None, labels={})
    assert rows == []


def test_pages_are_newest_first_filtered_and_complete(db):
    made = [create(db, labels={"team": "a" if number % 2 else "b"}) for number in range(5)]
    with db.read() as session:
        filters = {"tenant": "default", "status": "queued", "dataset": "digits"}
        first, more = jobs.page(session, limit=3, after=None, labels={}, **filters)
        rest, end = jobs.page(session, limit=3, after=first[-1].id, labels={}, **filters)
        odd, _ = jobs.page(session, limit=10, after=None, labels={"team": "a"}, **filters)
        none, _ = jobs.page(session, limit=10, after=None, labels={"team": "c"}, **filters)
    assert sorted(made, reverse=True) == [job.id for job in first + rest]
    assert (more, end) == (True, False)
    assert {job.id for job in odd} == {made[1], made[3]}
    assert none == []


def test_deleting_an_ended_job_takes_its_history_along(db):
    job_id = create(db)
    with pytest.raises(Conflict, match="cancel it first"), db.write() as session:
        jobs.delete(session, job_id=job_id, tenant="default")
    with db.write() as session:
        jobs.cancel(session, job_id=job_id, tenant="default")
        jobs.delete(session, job_id=job_id, tenant="default")
    with db.read() as session:
        assert events.after(session, job_id=job_id, event_id=0, limit=10) == []


def test_a_paused_job_says_who_paused_it_and_is_hinted_when_it_goes_on(db, delivered):
    job_id = create(db)
    with db.write() as session:
        jobs.pause(session, job_id=job_id, tenant="default")
    assert get(db, job_id).reason_code == "paused"
    assert claim(db, job_id) is None
    delivered.outboxes.clear()
    with db.write() as session:
        jobs.resume(session, job_id=job_id, tenant="default")
    assert delivered.hints == [job_id]
    assert claim(db, job_id)


def test_a_retry_begins_with_all_attempts_and_all_the_time(db):
    job_id = create(db, max_attempts=1)
    assert claim(db, job_id)
    crash(db, job_id, attempt=1)
    failed = get(db, job_id)
    assert (failed.status, failed.crashes) == ("failed", 1)
    assert failed.seconds_run > 0
    with db.write() as session:
        jobs.retry(session, job_id=job_id, tenant="default")
    job = get(db, job_id)
    assert (job.status, job.crashes, job.seconds_run, job.ended_at) == ("queued", 0, 0.0, None)
    second = claim(db, job_id)
    assert second is not None
    assert second.attempt == 2, "the fence never goes back"


def test_the_speed_of_training_is_not_taken_from_another_kind_of_job(db):
    for kind in (jobs.TRAINING, "counting"):
        job_id = create(db, kind=kind)
        assert claim(db, job_id)
        with db.write() as session:
            runs.record_tick(
                session,
                job_id=job_id,
                attempt=1,
                images_seen=1,
                seconds_trained=1.0,
                values={"images_per_second": 1.0},
            )
    with db.read() as session:
        measured = jobs.newest_measured(session)
        assert measured is not None
        assert measured.kind == jobs.TRAINING
