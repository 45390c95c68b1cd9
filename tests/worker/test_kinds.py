"""A second kind of job inherits lease, cancel, pause, retries, events and progress."""

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from store import events, jobs, payloads, runs, states
from store.artifacts import LocalArtifacts
from tests.store.rows import new_job
from tests.worker.counting import KIND
from tests.worker.supervising import in_background, runners

ROOT = Path(__file__).parent.parent.parent
FEW, MANY = 30, 10**9


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runners know the kind; the supervisor need not."""
    path = f"{Path(__file__).parent / 'counting_kind'}{os.pathsep}{ROOT}"
    monkeypatch.setenv("PYTHONPATH", path)


@pytest.fixture
def count(db) -> Callable[..., str]:
    """Create a job that counts up to a number of images."""

    def create(images: int, *, kind: str = KIND, **changes: object) -> str:
        new = new_job(kind=kind, spec={}, images_total=images, **changes)
        with db.write() as session:
            return jobs.create(session, new=new).id

    return create


def messages(db, job_id: str) -> list[str]:
    with db.read() as session:
        told = events.after(session, job_id=job_id, event_id=0, limit=10**5)
    return [event.data["message"] for event in told if event.type == "log"]


def counted(db, job_id: str) -> list[int]:
    with db.read() as session:
        return [images for images, _ in events.series(session, job_id=job_id, after_images=-1)]


def test_it_is_run_to_its_end(db, settings, supervise, count, job_of):
    job_id = count(FEW)
    supervise(job_id)
    job = job_of(job_id)
    assert (job.status, job.reason_code, job.images_seen, job.attempt) == ("succeeded", "completed", FEW, 1)
    assert counted(db, job_id) == list(range(1, FEW + 1))
    with LocalArtifacts(settings.artifacts_dir).open(f"jobs/{job_id}/results/count-1", "count") as file:
        assert file.read() == str(FEW).encode()


def test_its_lease_is_renewed_while_it_runs(db, supervise, count, job_of, wait_for):
    job_id = count(MANY)
    stop = threading.Event()
    with in_background(supervise, job_id, shutting_down=stop.is_set):
        wait_for(lambda: job_of(job_id).lease_until)
        first = job_of(job_id).lease_until
        wait_for(lambda: job_of(job_id).lease_until > first, what="a renewal")
        stop.set()
    job = job_of(job_id)
    assert (job.status, job.reason_code, job.crashes) == ("queued", "worker_stopped", 0)


def test_a_killed_runner_is_tried_again_where_its_progress_stood(db, supervise, count, job_of, wait_for):
    job_id = count(MANY)
    with in_background(supervise, job_id):
        wait_for(lambda: job_of(job_id).images_seen > 5)
        (runner,) = runners()
        os.kill(runner.pid, signal.SIGKILL)
    job = job_of(job_id)
    assert (job.status, job.crashes, job.reason_code) == ("queued", 1, "crashed")
    assert "the runner was ended by signal 9" in job.reason_message
    with in_background(supervise, job_id):
        wait_for(lambda: job_of(job_id).images_seen > job.images_seen)
        with db.write() as session:
            jobs.cancel(session, job_id=job_id, tenant="default", kind=KIND)
    assert messages(db, job_id) == ["counts from 0", f"counts from {job.images_seen}"]
    seen = counted(db, job_id)
    assert seen == list(range(1, len(seen) + 1)), "nothing is counted twice or left out"


def test_crashes_end_it(supervise, count, job_of, monkeypatch):
    """The kind's module is missing: every runner dies at its import."""
    monkeypatch.setenv("PYTHONPATH", f"{Path(__file__).parent / 'broken_kind'}{os.pathsep}{ROOT}")
    job_id = count(FEW, kind="broken", max_attempts=2)
    supervise(job_id)
    assert (job_of(job_id).status, job_of(job_id).crashes) == ("queued", 1)
    supervise(job_id)
    job = job_of(job_id)
    assert (job.status, job.reason_code, job.attempt) == ("failed", "crashed", 2)
    assert "no_such_module" in job.reason_message


def test_a_pause_keeps_its_progress_and_a_resume_goes_on(db, supervise, count, job_of, wait_for):
    job_id = count(MANY)
    with in_background(supervise, job_id):
        wait_for(lambda: job_of(job_id).images_seen > 5)
        with db.write() as session:
            jobs.pause(session, job_id=job_id, tenant="default", kind=KIND)
    paused = job_of(job_id)
    assert (paused.status, paused.crashes, paused.reason_code) == ("paused", 0, "paused")
    with db.write() as session:
        jobs.resume(session, job_id=job_id, tenant="default", kind=KIND)
    stop = threading.Event()
    with in_background(supervise, job_id, shutting_down=stop.is_set):
        wait_for(lambda: job_of(job_id).images_seen > paused.images_seen)
        stop.set()
    assert messages(db, job_id)[-1] == f"counts from {paused.images_seen}"


def test_a_cancel_ends_it(db, supervise, count, job_of, wait_for):
    job_id = count(MANY)
    with in_background(supervise, job_id):
        wait_for(lambda: job_of(job_id).images_seen > 0)
        with db.write() as session:
            jobs.cancel(session, job_id=job_id, tenant="default", kind=KIND)
        wait_for(lambda: job_of(job_id).status == states.CANCELLED, seconds=10)
    assert runners() == []


def test_a_runner_of_a_lost_lease_ends(db, supervise, count, job_of, wait_for):
    job_id = count(MANY)
    with in_background(supervise, job_id):
        wait_for(lambda: job_of(job_id).images_seen > 0)
        from_elsewhere(db, job_id)
    assert runners() == []
    job = job_of(job_id)
    assert (job.status, job.attempt, job.lease_owner) == ("running", 2, "other")


def from_elsewhere(db, job_id: str) -> None:
    """Another worker takes the job, as after a lease that ran out."""
    with db.write() as session:
        reason = payloads.Reason("worker_lost", "frozen")
        runs.record_crash(session, job_id=job_id, attempt=1, reason=reason, backoff_seconds=0)
        assert runs.claim(session, job_id=job_id, owner="other", lease_seconds=60)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # what refuses is a stand-in
def test_an_outage_beyond_the_lease_costs_no_attempt(db, supervise, count, job_of, wait_for, monkeypatch):
    def refuse() -> object:
        raise OperationalError("select", {}, Exception("connection refused"))

    job_id = count(MANY)
    with in_background(supervise, job_id):
        wait_for(lambda: job_of(job_id).images_seen > 0)
        with monkeypatch.context() as patch:
            patch.setattr(db, "read", refuse)
            patch.setattr(db, "write", refuse)
            wait_for(lambda: not runners(), what="the runner's end")
    job = job_of(job_id)
    assert (job.status, job.crashes, job.reason_code) == ("queued", 0, "database_away")


def test_nothing_happens_for_a_hint_that_comes_twice(supervise, count, job_of):
    job_id = count(FEW)
    supervise(job_id)
    supervise(job_id)
    assert job_of(job_id).attempt == 1


def test_a_full_disk_pauses_it(supervise, count, job_of, monkeypatch):
    monkeypatch.setenv("SADDLE_MIN_FREE_BYTES", str(2**62))
    job_id = count(FEW)
    supervise(job_id)
    assert (job_of(job_id).status, job_of(job_id).reason_code) == ("paused", "storage_full")


def test_a_kind_of_a_later_release_fails_with_its_reason(supervise, count, job_of):
    job_id = count(FEW, kind="juggling")
    supervise(job_id)
    job = job_of(job_id)
    assert (job.status, job.reason_code, job.attempt) == ("failed", "unknown_kind", 1)
    assert "not juggling" in job.reason_message
