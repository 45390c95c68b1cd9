"""A job that two processes train: the supervisor sees one runner."""

import os
import signal
import threading
from contextlib import contextmanager, suppress

import psutil
import pytest
import torch

from models import presets
from store import checkpoints, events
from store.settings import Settings
from tests.worker.conftest import LONG, TINY
from worker import ranks
from worker.supervisor import Supervisor

SHORT = TINY | {"budget": {"images": 16_000}, "checkpoint": {"every_images": 10**9}}


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.fixture
def together(settings, monkeypatch) -> Settings:
    monkeypatch.setenv("SADDLE_PROCESSES", "2")
    return Settings()


@contextmanager
def supervised(db, settings, job_id: str, *, stop: threading.Event):
    supervisor = Supervisor(database=db, settings=settings, owner="test", shutting_down=stop.is_set)
    thread = threading.Thread(target=supervisor.run, args=(job_id,))
    thread.start()
    try:
        yield
    finally:
        thread.join(60)
        assert not thread.is_alive()


def living() -> list[psutil.Process]:
    """Ranks other than 0 that this test has started."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if "worker.ranks" in process.cmdline():
                found.append(process)
    return found


def test_two_processes_are_stopped_resumed_and_train_to_the_end(db, together, submit, job_of, wait_for):
    stop = threading.Event()
    job_id = submit(SHORT)
    with supervised(db, together, job_id, stop=stop):
        wait_for(lambda: job_of(job_id).images_seen > 0)
        assert len(living()) == 1
        stop.set()
    job = job_of(job_id)
    assert (job.status, job.crashes, job.reason_code) == ("queued", 0, "worker_stopped")
    with db.read() as session:
        (newest,) = checkpoints.newest_first(session, job_id=job_id)
    assert newest.images_seen >= job.images_seen > 0
    stop.clear()
    with supervised(db, together, job_id, stop=stop):
        pass
    assert living() == []
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


def test_the_death_of_a_rank_ends_the_attempt(db, together, submit, job_of, wait_for):
    job_id = submit(LONG)
    with supervised(db, together, job_id, stop=threading.Event()):
        wait_for(lambda: job_of(job_id).images_seen > 0)
        (other,) = living()
        os.kill(other.pid, signal.SIGKILL)
    job = job_of(job_id)
    assert (job.status, job.crashes, job.reason_code) == ("queued", 1, "crashed")
    assert living() == []


@pytest.mark.parametrize(
    ("batch_size", "accumulation_steps", "number"), [(32, 1, 4), (33, 1, 3), (32, 8, 2), (7, 1, 1)]
)
def test_as_many_processes_train_as_the_batch_divides_by(batch_size, accumulation_steps, number):
    spec = presets.resolve(TINY | {"batch_size": batch_size, "accumulation_steps": accumulation_steps})
    assert ranks.count(spec, limit=4, device=torch.device("cpu")) == number
