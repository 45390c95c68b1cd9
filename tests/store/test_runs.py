"""The lease and the fence, on both databases."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import update

from store import events, jobs, payloads, runs, tables
from store.errors import Conflict, LeaseLost
from tests.store.rows import REASON, claim, crash, create, get


def test_one_of_many_claimants_wins(db):
    job_id = create(db)
    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(lambda number: claim(db, job_id, owner=f"w{number}"), range(8)))
    assert [job.attempt for job in claims if job] == [1]
    assert get(db, job_id).status == "running"


def test_a_stale_attempt_changes_nothing(db):
    job_id = create(db)
    assert claim(db, job_id)
    crash(db, job_id, attempt=1)
    second = claim(db, job_id)
    assert second is not None
    assert second.attempt == 2
    writes = [
        lambda session: runs.renew(session, job_id=job_id, attempt=1, lease_seconds=60),
        lambda session: runs.record_tick(
            session, job_id=job_id, attempt=1, images_seen=5, seconds_trained=1, values={"loss_g": 1}
        ),
        lambda session: runs.finish(session, job_id=job_id, attempt=1, status="succeeded", reason=REASON),
        lambda session: runs.release(session, job_id=job_id, attempt=1, reason=REASON),
        lambda session: runs.record_event(session, job_id=job_id, attempt=1, kind="log", images_seen=0, data={}),
    ]
    for write in writes:
        with pytest.raises(LeaseLost), db.write() as session:
            write(session)
    job = get(db, job_id)
    assert (job.status, job.attempt, job.images_seen) == ("running", 2, 0)


def test_crashes_wait_longer_each_time_and_end_in_failed(db):
    job_id = create(db)
    for attempt in (1, 2):
        assert claim(db, job_id)
        crash(db, job_id, attempt=attempt, backoff_seconds=100)
        job = get(db, job_id)
        assert job.status == "queued"
        assert job.available_at - job.created_at > 100 * 2 ** (attempt - 1) - 1
        assert claim(db, job_id) is None, "not before the wait is over"
        with db.write() as session:
            session.execute(update(tables.Job).values(available_at=0))
    assert claim(db, job_id)
    crash(db, job_id, attempt=3)
    job = get(db, job_id)
    assert (job.status, job.reason_code, job.crashes) == ("failed", "crashed", 3)
    assert job.ended_at is not None


def test_an_orderly_stop_costs_no_crash_and_hints_at_once(db, delivered):
    job_id = create(db)
    assert claim(db, job_id)
    with db.write() as session:
        runs.release(session, job_id=job_id, attempt=1, reason=payloads.Reason("worker_stopped", "restart"))
    job = get(db, job_id)
    assert (job.status, job.crashes, job.lease_owner) == ("queued", 0, None)
    assert delivered.hints == [job_id, job_id]


def test_a_lapsed_lease_is_recovered_and_a_living_one_is_not(db):
    dead, alive = create(db), create(db)
    assert claim(db, dead, lease_seconds=-1)
    assert claim(db, alive)
    with db.write() as session:
        lost = runs.recover_lost(session, backoff_seconds=0)
    assert [job.id for job in lost] == [dead]
    assert get(db, dead).status == "queued"
    assert get(db, dead).reason_code == "worker_lost"
    assert get(db, alive).status == "running"


def test_a_cancel_wins_over_a_success_that_comes_later(db):
    job_id = create(db)
    assert claim(db, job_id)
    with db.write() as session:
        assert jobs.cancel(session, job_id=job_id, tenant="default").status == "cancelling"
    with db.write() as session:
        runs.finish(session, job_id=job_id, attempt=1, status="succeeded", reason=REASON)
    assert get(db, job_id).status == "cancelled"


def test_a_job_that_is_being_cancelled_and_loses_its_runner_is_cancelled(db):
    job_id = create(db)
    assert claim(db, job_id, lease_seconds=-1)
    with db.write() as session:
        jobs.cancel(session, job_id=job_id, tenant="default")
        runs.recover_lost(session, backoff_seconds=0)
    assert get(db, job_id).status == "cancelled"


@pytest.mark.parametrize("status", ["succeeded", "diverged", "failed"])
def test_an_ended_job_stays_ended(db, status):
    job_id = create(db)
    assert claim(db, job_id)
    with db.write() as session:
        runs.finish(session, job_id=job_id, attempt=1, status=status, reason=REASON)
    with pytest.raises(Conflict, match=status), db.write() as session:
        jobs.cancel(session, job_id=job_id, tenant="default")
    with pytest.raises(LeaseLost), db.write() as session:
        runs.renew(session, job_id=job_id, attempt=1, lease_seconds=60)
    assert claim(db, job_id) is None


def test_a_resumed_run_overwrites_its_ticks_in_place(db, delivered):
    job_id = create(db)
    assert claim(db, job_id)
    for images, loss in ((10, 1.0), (20, 2.0), (10, 1.5), (20, 2.5), (30, 3.0)):
        with db.write() as session:
            runs.record_tick(
                session, job_id=job_id, attempt=1, images_seen=images, seconds_trained=1, values={"loss_g": loss}
            )
    with db.read() as session:
        assert events.series(session, job_id=job_id, after_images=-1) == [
            (10, {"loss_g": 1.5}),
            (20, {"loss_g": 2.5}),
            (30, {"loss_g": 3.0}),
        ]
        ids = [event.id for event in events.after(session, job_id=job_id, event_id=0, limit=100)]
    assert ids == list(range(1, len(ids) + 1)), "gapless"
    assert delivered.events == [(1, "state"), (2, "state"), (3, "metrics"), (4, "metrics"), (5, "metrics")]


def test_event_ids_are_gapless_under_concurrent_writers(db):
    job_id = create(db)
    assert claim(db, job_id)

    def tell(number: int) -> None:
        with db.write() as session:
            runs.record_event(
                session, job_id=job_id, attempt=1, kind="log", images_seen=number, data={"number": number}
            )

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(tell, range(40)))
    with db.read() as session:
        found = events.after(session, job_id=job_id, event_id=2, limit=100)
    assert [event.id for event in found] == list(range(3, 43))
    assert {event.data["number"] for event in found} == set(range(40))


def test_due_jobs_come_oldest_first(db):
    made = [create(db) for _ in range(3)]
    assert claim(db, made[1])
    with db.read() as session:
        assert runs.due(session, limit=10) == sorted([made[0], made[2]])
        assert runs.due(session, limit=1) == [min(made[0], made[2])]


def test_time_with_a_runner_adds_up_and_waiting_does_not(db):
    job_id = create(db)
    for attempt in (1, 2):
        assert claim(db, job_id)
        with db.write() as session:
            session.execute(update(tables.Job).values(held_since=tables.Job.held_since - 100))
        with db.write() as session:
            runs.release(session, job_id=job_id, attempt=attempt, reason=REASON)
    assert 200 <= get(db, job_id).seconds_run < 220


def test_a_pause_that_came_first_keeps_its_reason(db):
    job_id = create(db)
    assert claim(db, job_id)
    with db.write() as session:
        jobs.pause(session, job_id=job_id, tenant="default")
    with db.write() as session:
        runs.release(session, job_id=job_id, attempt=1, reason=REASON)
    assert (get(db, job_id).status, get(db, job_id).reason_code) == ("paused", "paused")


def test_a_claim_whose_answer_was_lost_is_the_owners_when_it_asks_again(db):
    job_id = create(db)
    first = claim(db, job_id)
    again = claim(db, job_id)
    assert first is not None
    assert again is not None
    assert again.attempt == first.attempt == 1
    assert first.lease_until is not None
    assert again.lease_until is not None
    assert again.lease_until > first.lease_until
    with db.write() as session:
        assert runs.claim(session, job_id=job_id, owner="another", lease_seconds=60) is None
