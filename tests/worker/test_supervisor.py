"""Attempts at real trainings: the real runner in its own process, killed and stopped in every way that occurs."""

import json
import os
import signal
import threading
from collections.abc import Callable

import pytest
from pydantic import TypeAdapter
from sqlalchemy.exc import OperationalError

from models.checkpoints import checkpoint
from models.checkpoints.snapshot import Snapshot
from store import checkpoints, events, jobs, payloads, runs
from store.artifacts import LocalArtifacts
from tests.worker.conftest import LONG, TINY
from tests.worker.supervising import in_background, runners
from worker.supervisor import Supervisor


def series(db, job_id: str) -> dict[int, dict[str, float]]:
    """Return the reproducible part of the training series."""
    with db.read() as session:
        rows = events.series(session, job_id=job_id, after_images=-1)
    assert len({images for images, _ in rows}) == len(rows)
    return {
        images: {name: value for name, value in values.items() if name != "images_per_second"}
        for images, values in rows
    }


def newest_state(db, settings, job_id: str) -> Snapshot:
    with db.read() as session:
        row = checkpoints.newest_first(session, job_id=job_id)[0]
    return checkpoint.read(LocalArtifacts(settings.artifacts_dir).local_copy(row.path)).snapshot


def trained_past(job_of, job_id: str, images: int) -> Callable[[], bool]:
    return lambda: job_of(job_id).images_seen > images


def test_an_attempt_trains_to_the_end_of_the_budget(db, settings, supervise, submit, job_of):
    job_id = submit(TINY)
    supervise(job_id)
    job = job_of(job_id)
    assert (job.status, job.reason_code, job.images_seen) == ("succeeded", "completed", 9_600)
    with db.read() as session:
        kept = checkpoints.newest_first(session, job_id=job_id)
        told = events.after(session, job_id=job_id, event_id=0, limit=1000)
    for event in told:
        TypeAdapter(payloads.BY_TYPE[event.type]).validate_json(json.dumps(event.data), strict=True)
    assert [row.images_seen for row in kept] == [9_600, 6_400], "keep_latest is 2"
    stored = list(LocalArtifacts(settings.artifacts_dir).list(f"jobs/{job_id}"))
    assert [one.key for one in stored] == [
        f"jobs/{job_id}/checkpoints/000000000006400-1",
        f"jobs/{job_id}/checkpoints/000000000009600-1",
    ]
    assert [event.type for event in told].count("checkpoint") == 3
    assert set(series(db, job_id)) >= {32, 640, 1_280, 9_600}


def test_a_killed_runner_is_tried_again_and_the_result_is_the_same(db, settings, supervise, submit, job_of, wait_for):
    spec = TINY | {"budget": {"images": 64_000}, "checkpoint": {"every_images": 6_400}}
    undisturbed, disturbed = submit(spec), submit(spec)
    supervise(undisturbed)
    with in_background(supervise, disturbed):
        wait_for(lambda: job_of(disturbed).latest_checkpoint is not None)
        (runner,) = runners()
        os.kill(runner.pid, signal.SIGKILL)
    job = job_of(disturbed)
    assert (job.status, job.crashes, job.reason_code) == ("queued", 1, "crashed")
    assert "signal 9" in job.reason_message
    supervise(disturbed)
    assert job_of(disturbed).status == "succeeded"
    assert job_of(disturbed).attempt == 2
    assert series(db, disturbed) == series(db, undisturbed)
    ours, theirs = newest_state(db, settings, disturbed).parts(), newest_state(db, settings, undisturbed).parts()
    assert all(tensor.equal(theirs[part][name]) for part, tensors in ours.items() for name, tensor in tensors.items())


def test_a_worker_that_shuts_down_loses_no_step(db, settings, supervise, submit, job_of, wait_for):
    job_id = submit(LONG)
    stop = threading.Event()
    with in_background(supervise, job_id, shutting_down=stop.is_set):
        wait_for(trained_past(job_of, job_id, 2_000))
        stop.set()
    job = job_of(job_id)
    assert (job.status, job.crashes, job.reason_code) == ("queued", 0, "worker_stopped")
    position = newest_state(db, settings, job_id).progress
    assert position.images_seen >= max(series(db, job_id)), "nothing that was shown is trained again"
    stop.clear()
    with in_background(supervise, job_id, shutting_down=stop.is_set):
        wait_for(trained_past(job_of, job_id, position.images_seen + 2_000))
        stop.set()
    with db.read() as session:
        messages = [
            event.data.get("message", "") for event in events.after(session, job_id=job_id, event_id=0, limit=10**4)
        ]
    assert f"resumes at {position.images_seen:,} images" in " ".join(messages)


def test_a_cancel_ends_the_runner_and_keeps_the_checkpoints(db, supervise, submit, job_of, wait_for):
    job_id = submit(LONG)
    with in_background(supervise, job_id):
        wait_for(lambda: job_of(job_id).latest_checkpoint is not None)
        with db.write() as session:
            jobs.cancel(session, job_id=job_id, tenant="default")
        wait_for(lambda: job_of(job_id).status == "cancelled", seconds=10)
    assert runners() == []
    with db.read() as session:
        assert checkpoints.newest_first(session, job_id=job_id)


def test_a_runner_that_lost_its_lease_ends_its_runner_and_changes_nothing(db, supervise, submit, job_of, wait_for):
    job_id = submit(LONG)
    with in_background(supervise, job_id):
        wait_for(trained_past(job_of, job_id, 0))
        with db.write() as session:
            runs.record_crash(
                session,
                job_id=job_id,
                attempt=1,
                reason=payloads.Reason("worker_lost", "frozen"),
                backoff_seconds=0,
            )
            assert runs.claim(session, job_id=job_id, owner="other", lease_seconds=60)
    assert runners() == []
    job = job_of(job_id)
    assert (job.status, job.attempt, job.lease_owner) == ("running", 2, "other")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # what refuses is a stand-in
def test_an_outage_beyond_the_lease_costs_no_attempt(db, supervise, submit, job_of, wait_for, monkeypatch):
    def refuse() -> object:
        raise OperationalError("select", {}, Exception("connection refused"))

    job_id = submit(LONG)
    with in_background(supervise, job_id):
        wait_for(trained_past(job_of, job_id, 0))
        with monkeypatch.context() as patch:
            patch.setattr(db, "read", refuse)
            patch.setattr(db, "write", refuse)
            wait_for(lambda: not runners(), what="the runner's end")
    job = job_of(job_id)
    assert (job.status, job.crashes, job.reason_code) == ("queued", 0, "database_away")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # the runner's is another
def test_a_runner_whose_database_stays_away_costs_no_attempt(supervise, submit, job_of, monkeypatch):
    job_id = submit(TINY)
    runners_own = {
        "SADDLE_DATABASE_URL": "postgresql+psycopg://127.0.0.1:1/nobody",
        "SADDLE_LEASE_SECONDS": "0.5",
        "SADDLE_HEARTBEAT_SECONDS": "0.1",
    }
    for name, value in runners_own.items():
        monkeypatch.setenv(name, value)
    supervise(job_id)
    job = job_of(job_id)
    assert (job.status, job.crashes, job.reason_code) == ("queued", 0, "database_away")


def test_a_runner_without_progress_is_ended(db, settings, submit, job_of, wait_for):
    job_id = submit(LONG)
    impatient = settings.model_copy(update={"stall_seconds": 1.0})
    supervisor = Supervisor(database=db, settings=impatient, owner="test", shutting_down=lambda: False)
    with in_background(supervisor.run, job_id):
        wait_for(runners)
        (runner,) = runners()
        runner.suspend()
    assert (job_of(job_id).status, job_of(job_id).reason_code) == ("queued", "stalled")
    assert runners() == []


def test_a_damaged_newest_checkpoint_falls_back_to_the_one_before(db, settings, supervise, submit, job_of):
    job_id = submit(TINY)
    supervise(job_id)
    again = submit(TINY | {"budget": {"images": 12_800}})
    # The second job gets the first one's checkpoints, of which the newest is damaged.
    artifacts = LocalArtifacts(settings.artifacts_dir)
    with db.write() as session:
        assert runs.claim(session, job_id=again, owner="test", lease_seconds=60)
        for row in reversed(checkpoints.newest_first(session, job_id=job_id)):
            new = checkpoints.NewCheckpoint(
                images_seen=row.images_seen, seconds_trained=1.0, path=row.path, size_bytes=1, quality=None
            )
            checkpoints.add(session, job_id=again, attempt=1, new=new)
        damaged = artifacts.local_copy(row.path) / "training.safetensors"
        runs.release(session, job_id=again, attempt=1, reason=payloads.Reason("worker_stopped", "test"))
    content = bytearray(damaged.read_bytes())
    content[-1] ^= 1
    damaged.write_bytes(content)
    supervise(again)
    with db.read() as session:
        told = [
            event.data["message"]
            for event in events.after(session, job_id=again, event_id=0, limit=100)
            if event.type == "log"
        ]
    assert any("damaged" in message for message in told)
    assert any("resumes at 6,400 images" in message for message in told)
    assert job_of(again).status == "succeeded"


def test_nothing_happens_for_a_hint_that_comes_twice(supervise, submit, job_of):
    job_id = submit(TINY)
    supervise(job_id)
    supervise(job_id)
    assert job_of(job_id).attempt == 1


def test_a_pause_keeps_every_step_and_the_resumed_run_is_the_uninterrupted_one(
    db, settings, supervise, submit, job_of, wait_for
):
    spec = TINY | {"budget": {"images": 48_000}, "checkpoint": {"every_images": 6_400}}
    undisturbed, paused = submit(spec), submit(spec)
    supervise(undisturbed)
    with in_background(supervise, paused):
        wait_for(trained_past(job_of, paused, 2_000))
        with db.write() as session:
            assert jobs.pause(session, job_id=paused, tenant="default").status == "pausing"
    job = job_of(paused)
    assert (job.status, job.crashes, job.reason_code) == ("paused", 0, "paused")
    assert newest_state(db, settings, paused).progress.images_seen == job.images_seen < 48_000
    supervise(paused)
    assert job_of(paused).attempt == 1, "a hint does not wake a paused job"
    with db.write() as session:
        jobs.resume(session, job_id=paused, tenant="default")
    supervise(paused)
    assert job_of(paused).status == "succeeded"
    assert series(db, paused) == series(db, undisturbed)
    ours, theirs = newest_state(db, settings, paused).parts(), newest_state(db, settings, undisturbed).parts()
    assert all(tensor.equal(theirs[part][name]) for part, tensors in ours.items() for name, tensor in tensors.items())


def test_a_job_that_has_run_for_its_time_fails_with_its_last_step_saved(db, settings, supervise, submit, job_of):
    job_id = submit(LONG | {"max_seconds": 4})
    supervise(job_id)
    job = job_of(job_id)
    assert (job.status, job.reason_code, job.crashes) == ("failed", "max_seconds", 0)
    assert 4 <= job.seconds_run < 20
    assert newest_state(db, settings, job_id).progress.images_seen == job.images_seen > 0


def test_a_runner_that_is_asked_before_it_can_hear_costs_no_crash(supervise, submit, job_of):
    job_id = submit(LONG)
    supervise(job_id, shutting_down=lambda: True)
    job = job_of(job_id)
    assert (job.status, job.crashes, job.reason_code) == ("queued", 0, "worker_stopped")
