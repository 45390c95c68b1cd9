"""Promise 2: one runner's writes count, though two believe that they hold the job."""

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from store.queue import Queue
from tests.faults.jobs import ENDLESS, QUICK

pytestmark = pytest.mark.promise(2, "One effective runner")
LEASE_SECONDS = 3.0
HINTS = 5


@pytest.fixture(scope="module")
def pair(setup, start_stack):
    """Start a service with two workers, of which one takes over."""
    lease = {"SADDLE_LEASE_SECONDS": str(LEASE_SECONDS), "SADDLE_BACKOFF_SECONDS": "0"}
    return start_stack(setup, workers=2, settings=lease)


@pytest.fixture
def stack(pair):
    pair.mend()
    yield pair
    pair.mend()
    pair.settle()


@pytest.mark.faults(small=1, full=20, small_on=["PostgreSQL"])
@pytest.mark.timeout(1200)
def test_a_runner_that_wakes_up_after_its_lease_writes_nothing(stack, count, ledger, wait_for):
    with stack.client() as client:
        for _ in range(count):
            job_id = client.create_job(ENDLESS | {"max_attempts": 100}).id
            wait_for(lambda job_id=job_id: stack.job(job_id).latest_checkpoint, what="a checkpoint")
            (trainer,) = stack.trainers()
            supervisor = trainer.parent()
            trainer.suspend()
            supervisor.suspend()
            ledger.fault("runner frozen for 3 leases")
            time.sleep(3 * LEASE_SECONDS)  # the fault itself
            wait_for(lambda job_id=job_id: stack.job(job_id).attempt == 2, what="the second claim")
            if _has_ended(trainer):  # frozen in the midst of a write, which nobody else could have made meanwhile
                ledger.outcome("ended while frozen")
            else:
                trainer.resume()
            wait_for(lambda trainer=trainer: _has_ended(trainer), what="the stale trainer's own end")
            with contextlib.suppress(psutil.NoSuchProcess):  # it may have been the one in the midst of a write
                supervisor.resume()
            wait_for(lambda job_id=job_id: _resumption(stack, job_id), what="the second attempt's training")
            told = stack.events(job_id)
            claimed = next(event.id for event in told if _claims(event, attempt=2))
            first = next(event for event in told if event.id > claimed)
            ledger.expect(first.type == "log", f"a stale {first.type} was written after the second claim")
            wait_for(lambda job_id=job_id: stack.job(job_id).images_seen > 0, what="progress")
            client.cancel_job(job_id)
            wait_for(lambda job_id=job_id: stack.job(job_id).ended_at, what="the job's end")
            ledger.expect(stack.job(job_id).attempt == 2, f"{stack.job(job_id).attempt} attempts")
            ledger.outcome("taken over once")


def _has_ended(process):
    """Return whether a process has ended, reaped or not: its supervisor, which would reap it, sleeps."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _claims(event, *, attempt):
    return event.type == "state" and event.data["status"] == "running" and event.data["attempt"] == attempt


def _resumption(stack, job_id):
    claimed = [event.id for event in stack.events(job_id) if _claims(event, attempt=2)]
    return [event for event in stack.events(job_id) if event.type == "log" and event.id > claimed[0]]


@pytest.mark.faults(small=2, full=50, small_on=["SQLite"])
@pytest.mark.timeout(1200)
def test_a_hint_that_comes_five_times_at_once_makes_one_attempt(stack, count, ledger, wait_for):
    queue = Queue(stack.redis.url)
    with stack.client() as client, ThreadPoolExecutor(HINTS) as threads:
        for _ in range(count):
            job_id = client.create_job(QUICK).id
            list(threads.map(queue.hint, [job_id] * HINTS))
            ledger.fault(f"hint sent {HINTS}x more")
            wait_for(lambda job_id=job_id: stack.job(job_id).ended_at, what="the job's end")
            job = stack.job(job_id)
            ledger.outcome(job.status)
            ledger.expect((job.status, job.attempt) == ("succeeded", 1), f"{job.status} after {job.attempt} attempts")
            claims = [event for event in stack.events(job_id) if _claims(event, attempt=1)]
            ledger.expect(len(claims) == 1, f"{len(claims)} claims")
    with contextlib.closing(queue):
        ledger.expect(queue.depth() <= HINTS * count, "hints pile up")
