"""Promise 3: a dead worker or trainer is noticed in time, and a slow database is not taken for a death."""

import sqlite3
import time

import psutil
import pytest

from tests.faults.extent import FULL
from tests.faults.jobs import ENDLESS

pytestmark = pytest.mark.promise(3, "A dead worker is found")
ALLOWANCE_SECONDS = 15.0
GRACE_SECONDS = 4.0
"""The time for a trainer to die with its worker: much shorter than the lease, whose loss would end it too."""
STALL = 0.75
"""The share of the lease, as 45 seconds are of 60."""


@pytest.fixture(scope="module")
def patient(setup, start_stack):
    """Return a service that does not wait between attempts; in full, with the default times."""
    times = {"SADDLE_LEASE_SECONDS": "60", "SADDLE_HEARTBEAT_SECONDS": "10", "SADDLE_CONTROL_SECONDS": "1"}
    return start_stack(setup, settings={"SADDLE_BACKOFF_SECONDS": "0", **(times if FULL else {})})


@pytest.mark.faults(small=1, full=20, small_on=["SQLite"])
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("victim", ["trainer", "worker", "both"])
def test_a_job_whose_runner_was_killed_is_queued_in_time(stack, count, ledger, wait_for, victim):
    lease_seconds = float(stack.environment["SADDLE_LEASE_SECONDS"])
    with stack.client() as client:
        for _ in range(count):
            job_id = client.create_job(ENDLESS).id
            wait_for(lambda job_id=job_id: stack.job(job_id).latest_checkpoint, what="a checkpoint")
            (trainer,) = stack.trainers()
            killed_at = time.time()
            if victim != "worker":
                trainer.kill()
            if victim != "trainer":
                stack.workers[0].kill()
            ledger.fault(f"{victim} killed")
            gone, _ = psutil.wait_procs([trainer], timeout=GRACE_SECONDS)
            ledger.expect(gone, "a trainer outlives its worker")
            wait_for(lambda job_id=job_id: _requeued_at(stack, job_id), seconds=lease_seconds + 30, what="the queue")
            seconds = _requeued_at(stack, job_id) - killed_at
            ledger.expect(seconds < lease_seconds + ALLOWANCE_SECONDS, f"{victim}: queued after {seconds:.0f} s")
            stack.mend()
            wait_for(lambda job_id=job_id: stack.job(job_id).attempt == 2, what="the second attempt")
            client.cancel_job(job_id)
            wait_for(lambda job_id=job_id: stack.job(job_id).ended_at, what="the end")
            ledger.outcome("requeued")


def _requeued_at(stack, job_id):
    states = [event for event in stack.events(job_id) if event.type == "state"]
    return next((event.at for event in states if event.data["previous"] == "running"), None)


@pytest.mark.faults(small=1, full=3, small_on=["PostgreSQL"])
@pytest.mark.timeout(1200)
def test_a_database_that_stalls_for_less_than_the_lease_is_no_death(patient, setup, count, ledger, wait_for):
    stack = patient
    stack.mend()
    stall_seconds = STALL * float(stack.environment["SADDLE_LEASE_SECONDS"])
    with stack.client() as client:
        job_id = client.create_job(ENDLESS).id
        for _ in range(count):
            # Two stalls without a renewal between them would be one, longer than the lease. The first that is seen may
            # have been asked for during the stall before, and count from then.
            for _ in range(2):
                until = _leased_until(stack, job_id)
                wait_for(lambda until=until: _leased_until(stack, job_id) > until, what="a renewed lease")
            if setup == "PostgreSQL":
                stack.postgres.freeze()
                time.sleep(stall_seconds)  # the fault itself
                stack.postgres.thaw()
            else:
                _hold(stack, stall_seconds)
            ledger.fault(f"database stalled for {stall_seconds:.0f} s")
        begun = stack.job(job_id).images_seen
        wait_for(lambda: stack.job(job_id).images_seen > begun, what="progress")
        job = stack.job(job_id)
        ledger.outcome("lived through", count)
        ledger.expect((job.status, job.attempt) == ("running", 1), f"{job.status}, attempt {job.attempt}")
        client.cancel_job(job_id)
        wait_for(lambda: stack.job(job_id).ended_at, what="the end")


def _leased_until(stack, job_id):
    return stack.job(job_id).lease_until or 0.0


def _hold(stack, seconds):
    """Hold SQLite's write lock for some seconds."""
    connection = sqlite3.connect(stack.folder / "saddle.db", timeout=30)
    connection.execute("BEGIN IMMEDIATE")
    time.sleep(seconds)  # the fault itself
    connection.rollback()
    connection.close()
