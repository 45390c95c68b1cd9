"""The writes of an attempt are fenced, and its artifacts whole."""

from pathlib import Path

import pytest

from store import payloads, runs, states
from store.checkpoints import NewCheckpoint
from store.errors import LeaseLost, StorageFull
from tests.worker.conftest import TINY

STOPPED = payloads.Reason("worker_stopped", "test")


def fill(folder: Path) -> str:
    (folder / "x").write_text("whole")
    return "filled"


def test_a_stale_attempt_writes_nothing(attempt_at, submit, job_of, db):
    job_id = submit(TINY)
    stale = attempt_at(job_id)
    with db.write() as session:
        runs.release(session, job_id=job_id, attempt=1, reason=STOPPED)
    current = attempt_at(job_id)
    new = NewCheckpoint(images_seen=1, seconds_trained=1.0, path="x", size_bytes=1, quality=None)
    for write in (
        lambda: stale.tick(images_seen=1, seconds_trained=1.0, values={}),
        lambda: stale.log("stale", images_seen=1),
        lambda: stale.add_checkpoint(new),
        lambda: stale.finish(states.SUCCEEDED, STOPPED),
        lambda: stale.pause_on_failure(STOPPED),
    ):
        with pytest.raises(LeaseLost):
            write()
    assert not stale.ended
    assert (job_of(job_id).status, job_of(job_id).images_seen) == ("running", 0)
    assert stale.key("checkpoints/1") != current.key("checkpoints/1"), "attempts do not write over each other's files"


def test_what_an_attempt_puts_twice_is_what_it_put_last(attempt_at, submit):
    attempt = attempt_at(submit(TINY))
    key = attempt.key("results/all")
    assert attempt.put(key, fill) == "filled"
    attempt.put(key, lambda folder: (folder / "y").write_text("again"))
    assert [file.name for file in attempt.artifacts.local_copy(key).iterdir()] == ["y"]


def test_a_full_disk_takes_older_checkpoints_first(attempt_at, submit):
    attempt = attempt_at(submit(TINY))
    for images in (10, 20):
        key = attempt.key(f"checkpoints/{images}")
        attempt.put(key, fill)
        attempt.add_checkpoint(
            NewCheckpoint(images_seen=images, seconds_trained=1.0, path=key, size_bytes=5, quality=None)
        )
    calls = []

    def run_full(folder: Path) -> None:
        calls.append([row.images_seen for row in attempt.saved()])
        raise StorageFull("the disk is full")

    with pytest.raises(StorageFull):
        attempt.put(attempt.key("checkpoints/30"), run_full)
    assert calls == [[20, 10], [20]]
    assert [one.key for one in attempt.artifacts.list("jobs")] == [attempt.key("checkpoints/20")]
