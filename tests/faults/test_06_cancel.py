"""Promise 6: a cancel is prompt and final, whatever the job is doing."""

import random
import time

import pytest

from store import states
from tests.faults.jobs import ENDLESS

pytestmark = pytest.mark.promise(6, "Cancel is prompt and final")
PROMPT_SECONDS = 10.0
SAVING = ENDLESS | {"checkpoint": {"every_images": 32}}
"""A job that saves at every step, so that a checkpoint is always being written."""


def _queued(stack, job_id, wait_for):
    pass


def _claiming(stack, job_id, wait_for):
    time.sleep(random.uniform(0, 0.3))  # somewhere between the hint and the trainer's start


def _running(stack, job_id, wait_for):
    wait_for(lambda: stack.job(job_id).images_seen, what="progress")


@pytest.mark.faults(small=1, full=30, small_on=["SQLite"])
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("name", "doing", "spec"),
    [
        ("queued", _queued, ENDLESS),
        ("claiming", _claiming, ENDLESS),
        ("running", _running, ENDLESS),
        ("saving", _running, SAVING),
    ],
)
def test_a_cancelled_job_ends_and_stays_so(stack, count, ledger, wait_for, name, doing, spec):
    cancelled = []
    with stack.client() as client:
        if doing is _queued:
            stack.workers[0].stop()
        for _ in range(count):
            job_id = client.create_job(spec).id
            doing(stack, job_id, wait_for)
            client.cancel_job(job_id)
            began = time.monotonic()
            ledger.fault(f"cancelled while {name}")
            wait_for(lambda job_id=job_id: stack.job(job_id).status == "cancelled", seconds=60, what="the end")
            seconds = time.monotonic() - began
            ledger.expect(seconds < PROMPT_SECONDS, f"{name}: cancelled after {seconds:.1f} s")
            wait_for(lambda: not stack.trainers(), seconds=PROMPT_SECONDS, what="the trainer's end")
            cancelled.append(job_id)
        stack.mend()
        for job_id in cancelled:
            told = [event.data["status"] for event in stack.events(job_id) if event.type == "state"]
            ledger.outcome(stack.job(job_id).status)
            ledger.expect(told[-1] == states.CANCELLED and told.count(states.CANCELLED) == 1, f"went on as {told}")
