"""Attempts at real trainings: the real runner in its own process, killed and stopped in every way that occurs."""

import functools
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from pydantic import TypeAdapter

from models import data, presets, training
from models.checkpoints import checkpoint
from models.checkpoints.snapshot import Snapshot
from store import checkpoints, events, jobs, payloads, runs
from store.artifacts import LocalArtifacts
from tests.worker.conftest import LONG, TINY
from tests.worker.supervising import in_background, runners
from worker import kinds, runner, supervisor
from worker.attempt import ExitStatus
from worker.supervisor import Supervisor

MEDIUM = TINY | {"budget": {"images": 32_000}, "checkpoint": {"every_images": 6_400}}
"""Long enough to be interrupted after its first checkpoint."""


def series(db, job_id: str) -> dict[int, dict[str, float]]:
    """Return the reproducible part of the training series."""
    with db.read() as session:
        rows = events.series(session, job_id=job_id, after_images=-1)
    assert len({images for images, _ in rows}) == len(rows)
    return {images: reproducible(values) for images, values in rows}


def reproducible(values: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in values.items() if name != "images_per_second"}


def newest_state(db, settings, job_id: str) -> Snapshot:
    with db.read() as session:
        row = checkpoints.newest_first(session, job_id=job_id)[0]
    return checkpoint.read(LocalArtifacts(settings.artifacts_dir).local_copy(row.path)).snapshot


@functools.cache
def uninterrupted() -> tuple[dict[int, dict[str, float]], Snapshot]:
    """Return the series and the last state of the library's run of `MEDIUM`."""
    spec = presets.resolve(MEDIUM)
    dataset = data.load(spec.dataset, folder=Path("/nonexistent"))
    told = list(training.train(spec, dataset=dataset, device=torch.device("cpu")))
    ticks = [event for event in told if isinstance(event, training.Tick)]
    *_, last = (event.snapshot for event in told if isinstance(event, training.CheckpointDue))
    return {tick.images_seen: reproducible(tick.values) for tick in ticks}, last


def assert_equal(whole: tuple[dict[int, dict[str, float]], Snapshot], ticks: object, state: Snapshot) -> None:
    whole_ticks, whole_state = whole
    assert ticks == whole_ticks
    ours, theirs = state.parts(), whole_state.parts()
    assert ours.keys() == theirs.keys()
    for part, tensors in ours.items():
        assert tensors.keys() == theirs[part].keys()
        assert all(tensor.equal(theirs[part][name]) for name, tensor in tensors.items())


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
        *(f"jobs/{job_id}/timeline/{seen:015d}-1" for seen in (0, 3_200, 6_400, 9_600)),
    ]
    assert [event.type for event in told].count("checkpoint") == 3
    assert set(series(db, job_id)) >= {32, 640, 1_280, 9_600}


def test_a_killed_runner_is_tried_again_and_the_result_is_the_same(db, settings, supervise, submit, job_of, wait_for):
    disturbed = submit(MEDIUM)
    with in_background(supervise, disturbed):
        wait_for(lambda: job_of(disturbed).latest_checkpoint is not None)
        (process,) = runners()
        os.kill(process.pid, signal.SIGKILL)
    job = job_of(disturbed)
    assert (job.status, job.crashes, job.reason_code) == ("queued", 1, "crashed")
    assert "signal 9" in job.reason_message
    supervise(disturbed)
    assert job_of(disturbed).status == "succeeded"
    assert job_of(disturbed).attempt == 2
    assert_equal(uninterrupted(), series(db, disturbed), newest_state(db, settings, disturbed))


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
        (process,) = runners()
        process.suspend()
    assert (job_of(job_id).status, job_of(job_id).reason_code) == ("queued", "stalled")
    assert runners() == []


def test_a_damaged_newest_checkpoint_falls_back_to_the_one_before(db, settings, supervise, attempt_at, submit, job_of):
    job_id = submit(TINY)
    assert runner.run(attempt_at(job_id), kinds.load("training")) == ExitStatus.DONE
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


def test_a_pause_keeps_every_step_and_the_resumed_run_is_the_uninterrupted_one(
    db, settings, supervise, submit, job_of, wait_for
):
    paused = submit(MEDIUM)
    with in_background(supervise, paused):
        wait_for(trained_past(job_of, paused, 2_000))
        with db.write() as session:
            assert jobs.pause(session, job_id=paused, tenant="default").status == "pausing"
    job = job_of(paused)
    assert (job.status, job.crashes, job.reason_code) == ("paused", 0, "paused")
    assert newest_state(db, settings, paused).progress.images_seen == job.images_seen < 32_000
    supervise(paused)
    assert job_of(paused).attempt == 1, "a hint does not wake a paused job"
    with db.write() as session:
        jobs.resume(session, job_id=paused, tenant="default")
    supervise(paused)
    assert job_of(paused).status == "succeeded"
    assert_equal(uninterrupted(), series(db, paused), newest_state(db, settings, paused))


def test_a_job_that_has_run_for_its_time_fails_with_its_last_step_saved(
    db, settings, supervise, submit, job_of, wait_for, monkeypatch
):
    job_id = submit(LONG | {"max_seconds": 60})
    with in_background(supervise, job_id):
        wait_for(trained_past(job_of, job_id, 0))
        assert job_of(job_id).status == "running"
        later = SimpleNamespace(monotonic=lambda: time.monotonic() + 60)
        monkeypatch.setattr(supervisor, "time", later)
    job = job_of(job_id)
    assert (job.status, job.reason_code, job.crashes) == ("failed", "max_seconds", 0)
    assert newest_state(db, settings, job_id).progress.images_seen == job.images_seen > 0


def test_a_runner_that_is_asked_before_it_can_hear_costs_no_crash(supervise, submit, job_of):
    job_id = submit(LONG)
    supervise(job_id, shutting_down=lambda: True)
    job = job_of(job_id)
    assert (job.status, job.crashes, job.reason_code) == ("queued", 0, "worker_stopped")
