"""Promise 4: a worker that is stopped releases its job at the very step that it has reached."""

import random
import time

import pytest

from tests.faults.jobs import ENDLESS
from tests.faults.saved import rows

pytestmark = pytest.mark.promise(4, "A restart loses no finished work")


@pytest.mark.faults(small=2, full=20, small_on=["SQLite"])
@pytest.mark.timeout(900)
def test_a_stopped_worker_resumes_at_the_very_step(stack, count, ledger, wait_for):
    chance = random.Random(4)
    with stack.client() as client:
        job_id = client.create_job(ENDLESS).id
        for number in range(1, count + 1):
            begun = stack.job(job_id).images_seen
            wait_for(lambda begun=begun: stack.job(job_id).images_seen > begun, what="progress")
            time.sleep(chance.uniform(0, 0.5))  # a random step
            status = stack.workers[0].stop()
            ledger.fault("worker stopped")
            job = stack.job(job_id)
            ledger.expect(status == 0, f"the worker ended with {status}")
            ledger.expect((job.status, job.crashes) == ("queued", 0), f"{job.status}, {job.crashes} crashes")
            newest = max(event.images_seen for event in stack.events(job_id) if event.type in {"metrics", "checkpoint"})
            saved = rows(stack, job_id)[0].images_seen
            ledger.expect(saved == job.images_seen == newest, f"saved at {saved}, told of {newest}")
            stack.workers[0].start()
            wait_for(lambda number=number: stack.job(job_id).attempt == number + 1, what="the next attempt")
            wait_for(lambda number=number: len(_starts(stack, job_id)) == number + 1, what="the next start")
            wanted = f"resumes at {job.images_seen:,} images"
            ledger.expect(_starts(stack, job_id)[-1].startswith(wanted), f"{_starts(stack, job_id)[-1]}, not {wanted}")
            ledger.outcome("resumed at the step")


def _starts(stack, job_id):
    told = [event.data["message"] for event in stack.events(job_id) if event.type == "log"]
    return [message for message in told if message.startswith(("starts", "resumes"))]
