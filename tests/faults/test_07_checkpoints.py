"""Promise 7: a checkpoint is the old or the new one, never half. If one is damaged, the one before serves."""

import random

import psutil
import pytest

from models.checkpoints import checkpoint
from tests.faults import saved
from tests.faults.jobs import ENDLESS

pytestmark = pytest.mark.promise(7, "A checkpoint is whole or not there")
SAVING = ENDLESS | {"checkpoint": {"every_images": 32}, "max_attempts": 100}
"""A job that saves at every step."""
KILLS_A_JOB = 50
"""The number of kills, less than the job's attempts."""
KEEPING = ENDLESS | {"checkpoint": {"every_images": 3_200, "keep_latest": 3, "keep_best": 0}}


@pytest.mark.faults(small=2, full=100, small_on=["SQLite"])
@pytest.mark.timeout(3600)
def test_a_trainer_killed_while_it_saves_leaves_whole_checkpoints(impatient_stack, count, ledger, wait_for):
    stack = impatient_stack
    with stack.client() as client:
        for begun in range(0, count, KILLS_A_JOB):
            job_id = client.create_job(SAVING).id
            wait_for(lambda job_id=job_id: saved.rows(stack, job_id), what="the first checkpoint")
            for _ in range(min(KILLS_A_JOB, count - begun)):
                _kill_in_a_save(stack, job_id, ledger, wait_for)
            client.cancel_job(job_id)
            wait_for(lambda job_id=job_id: stack.job(job_id).ended_at, what="the end")
            damaged = any("damaged" in message for message in _told(stack, job_id))
            ledger.expect(not damaged, "a trainer found a damaged checkpoint")


def _kill_in_a_save(stack, job_id, ledger, wait_for):
    place = stack.folder / "artifacts" / "jobs" / job_id / "checkpoints"
    before = stack.job(job_id)
    wait_for(lambda: stack.job(job_id).images_seen > before.images_seen, what="progress")
    (trainer,) = stack.trainers()
    wait_for(lambda: any(place.glob(".*.partial")), what="a save under way")
    trainer.kill()
    psutil.wait_procs([trainer], timeout=5)
    half = len(list(place.glob(".*.partial")))
    ledger.fault("killed in a save" if half else "killed beside a save")
    for problem in saved.damaged(stack, job_id):
        ledger.violation(problem)
    ledger.expect(saved.rows(stack, job_id), "no checkpoint is left")
    wait_for(lambda: stack.job(job_id).attempt > before.attempt, what="the next attempt")
    ledger.outcome("taken up again")


@pytest.mark.faults(small=2, full=50, small_on=["SQLite"])
@pytest.mark.timeout(3600)
def test_of_a_damaged_checkpoint_the_one_before_serves_and_resumes(stack, count, ledger, wait_for):
    chance = random.Random(7)
    with stack.client() as client:
        job_id = client.create_job(KEEPING).id
        for number in range(count):
            begun = stack.job(job_id).images_seen
            wait_for(lambda begun=begun: stack.job(job_id).images_seen > begun + 9_600, what="checkpoints")
            client.pause_job(job_id)
            wait_for(lambda: stack.job(job_id).status == "paused", what="the pause")
            newest, before, *_ = saved.rows(stack, job_id)
            file = saved.folder(stack, newest) / ("generator.safetensors", "training.safetensors")[number % 2]
            ledger.fault(_damage(file, chance))
            ledger.expect(_is_damaged(saved.folder(stack, newest)), "the damage is not seen")
            served = client.samples_png(job_id, count=1).checkpoint
            # What is drawn from is one file; the other is what a trainer needs beside it.
            wanted = before.id if file.name.startswith("generator") else newest.id
            ledger.expect(served == wanted, f"{served} is served, not {wanted}")
            client.resume_job(job_id)
            place = f"resumes at {before.images_seen:,} images"
            wait_for(lambda place=place: any(place in message for message in _told(stack, job_id)), what=place)
            ledger.outcome("the one before was loaded")
        client.cancel_job(job_id)


def _damage(file, chance):
    content = bytearray(file.read_bytes())
    if chance.random() < 0.5:
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        file.write_bytes(content)
        return "bit flipped"
    file.write_bytes(content[: chance.randrange(len(content))])
    return "cut off"


def _is_damaged(folder):
    try:
        checkpoint.verify(folder)
    except checkpoint.CorruptCheckpoint:
        return True
    return False


def _told(stack, job_id):
    return [event.data["message"] for event in stack.events(job_id) if event.type == "log"]
