"""A job that two processes train: the supervisor sees one runner."""

import os
import signal
import threading
from collections.abc import Callable

import psutil
import pytest
import torch

from models import presets
from store import checkpoints, events
from store.settings import Settings
from tests.worker.conftest import LONG, TINY
from tests.worker.supervising import in_background, runners
from worker import ranks
from worker.supervisor import Supervisor

SHORT = TINY | {"budget": {"images": 16_000}, "checkpoint": {"every_images": 10**9}}


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.fixture
def together(settings, tmp_path, monkeypatch) -> Settings:
    """Settings for two processes. They meet in a folder whose name means something else in an address."""
    folder = tmp_path / "100%41?rank=7#"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setenv("SADDLE_PROCESSES", "2")
    return Settings()


@pytest.fixture
def supervise(db, together):
    def run(job_id: str, *, shutting_down: Callable[[], bool] = lambda: False) -> None:
        Supervisor(database=db, settings=together, owner="test", shutting_down=shutting_down).run(job_id)

    return run


def others() -> list[psutil.Process]:
    """Return the ranks other than 0 that this test has started."""
    return runners("worker.ranks")


def test_two_processes_are_stopped_resumed_and_train_to_the_end(db, supervise, submit, job_of, wait_for):
    stop = threading.Event()
    job_id = submit(SHORT)
    with in_background(supervise, job_id, shutting_down=stop.is_set):
        wait_for(lambda: job_of(job_id).images_seen > 0)
        assert len(others()) == 1
        stop.set()
    job = job_of(job_id)
    assert (job.status, job.crashes, job.reason_code) == ("queued", 0, "worker_stopped")
    with db.read() as session:
        (newest,) = checkpoints.newest_first(session, job_id=job_id)
    assert newest.images_seen >= job.images_seen > 0
    supervise(job_id)
    assert others() == []
    job = job_of(job_id)
    assert (job.status, job.attempt, job.images_seen) == ("succeeded", 2, 16_000)
    with db.read() as session:
        told = [
            event.data.get("message", "") for event in events.after(session, job_id=job_id, event_id=0, limit=10**4)
        ]
        seen = [images for images, _ in events.series(session, job_id=job_id, after_images=-1)]
    assert f"resumes at {newest.images_seen:,} images on cpu in torch.float32, 2 processes" in told
    assert seen == sorted(set(seen))
    assert seen[-1] == 16_000


def test_the_death_of_a_rank_ends_the_attempt(supervise, submit, job_of, wait_for):
    job_id = submit(LONG)
    with in_background(supervise, job_id):
        wait_for(lambda: job_of(job_id).images_seen > 0)
        (other,) = others()
        os.kill(other.pid, signal.SIGKILL)
    job = job_of(job_id)
    assert (job.status, job.crashes, job.reason_code) == ("queued", 1, "crashed")
    assert others() == []


@pytest.mark.parametrize(
    ("batch_size", "accumulation_steps", "number"), [(32, 1, 4), (33, 1, 3), (32, 8, 2), (7, 1, 1)]
)
def test_as_many_processes_train_as_the_batch_divides_by(batch_size, accumulation_steps, number):
    spec = presets.resolve(TINY | {"batch_size": batch_size, "accumulation_steps": accumulation_steps})
    assert ranks.count(spec, limit=4, device=torch.device("cpu")) == number
