"""Promise 9: a run that was killed again and again equals an uninterrupted one to the bit."""

import random
import time

import pytest

from tests.faults import saved
from tests.faults.jobs import TINY

pytestmark = pytest.mark.promise(9, "Bit-exact resume")


@pytest.mark.faults(small=1, full=10, small_on=["SQLite"])
@pytest.mark.timeout(900)
def test_a_run_killed_at_random_points_is_the_uninterrupted_one(impatient_stack, count, ledger, wait_for):
    stack = impatient_stack
    chance = random.Random(9)
    spec = TINY | {
        "budget": {"images": 64_000 * count},
        "checkpoint": {"every_images": 6_400},
        "metrics": {"every_images": 640},
        "augment": {"kind": "diffaugment"},
        "max_attempts": 100,
    }
    with stack.client() as client:
        whole, broken = (client.create_job(spec | {"name": name}).id for name in ("whole", "broken"))
        wait_for(lambda: stack.job(whole).ended_at, seconds=300, what="the uninterrupted run")
        kills = 0
        while kills < count and not stack.job(broken).ended_at:
            begun = stack.job(broken).images_seen
            wait_for(lambda begun=begun: stack.job(broken).images_seen > begun, what="progress")
            time.sleep(chance.uniform(0, 0.5))  # a random point
            for trainer in stack.trainers():
                trainer.kill()
                kills += 1
                ledger.fault("trainer killed")
        wait_for(lambda: stack.job(broken).ended_at, seconds=300, what="the interrupted run")
        ledger.expect(kills == count, f"the run was over after {kills} kills")
        for job_id in (whole, broken):
            ledger.outcome(stack.job(job_id).status)
        # The files tell of their spec, and so of the jobs' names: the tensors beside the generator's do not.
        same = (
            saved.digests(stack, whole)["training.safetensors"] == saved.digests(stack, broken)["training.safetensors"]
        )
        ledger.expect(same, "the last checkpoints differ")
        ledger.expect(_series(stack, whole) == _series(stack, broken), "the series differ")


def _series(stack, job_id):
    ticks = [event for event in stack.events(job_id) if event.type == "metrics"]
    return sorted(
        (tick.images_seen, sorted((name, value) for name, value in tick.data.items() if name != "images_per_second"))
        for tick in ticks
    )
