"""A fork's first attempt: from its parent's checkpoint, or not at all."""

import pytest

from models.checkpoints import checkpoint
from store import checkpoints, events, jobs
from store.artifacts import LocalArtifacts
from tests.worker.conftest import TINY
from worker import kinds, runner
from worker.attempt import ExitStatus


@pytest.fixture
def forked(db, settings, attempt_at, submit, job_of):
    """A fork of a job that has trained its 9,600 images, with a longer budget and another optimizer."""
    parent_id = submit(TINY)
    assert runner.run(attempt_at(parent_id), kinds.load("training")) == ExitStatus.DONE
    parent = job_of(parent_id)
    child = submit(TINY | {"budget": {"images": 16_000}, "generator_optimizer": {"kind": "rmsprop", "lr": 1e-4}})
    path = f"jobs/{child}/checkpoints/000000000009600-0"
    with db.write() as session:
        source = checkpoints.newest_first(session, job_id=parent_id)[0]
        LocalArtifacts(settings.artifacts_dir).share(source.path, path, min_free_bytes=0)
        new = checkpoints.NewCheckpoint(
            images_seen=source.images_seen, seconds_trained=0, path=path, size_bytes=source.size_bytes, quality=None
        )
        job = jobs.get(session, job_id=child, tenant="default")
        job.forked_from_job, job.forked_from_checkpoint = parent.id, source.id
        checkpoints.adopt(session, job=job, new=new)
    return child, LocalArtifacts(settings.artifacts_dir).local_copy(path)


def messages(db, job_id):
    with db.read() as session:
        told = events.after(session, job_id=job_id, event_id=0, limit=1000)
    return [event.data["message"] for event in told if event.type == "log"]


def test_it_goes_on_where_its_parent_stood_under_its_own_spec(db, settings, supervise, job_of, forked):
    child, _ = forked
    supervise(child)
    job = job_of(child)
    assert (job.status, job.images_seen) == ("succeeded", 16_000)
    assert messages(db, child)[0].startswith("resumes at 9,600 images")
    with db.read() as session:
        newest = checkpoints.newest_first(session, job_id=child)[0]
    state = checkpoint.read(LocalArtifacts(settings.artifacts_dir).local_copy(newest.path)).snapshot
    assert state.spec.generator_optimizer.kind == "rmsprop"
    assert state.progress.images_seen == 16_000


def test_without_its_parents_checkpoint_it_fails_and_does_not_begin_anew(db, supervise, job_of, forked):
    child, folder = forked
    content = (folder / "training.safetensors").read_bytes()
    (folder / "training.safetensors").unlink()  # the parent's has its own name
    (folder / "training.safetensors").write_bytes(content[:-1])
    supervise(child)
    job = job_of(child)
    assert (job.status, job.reason_code, job.attempt) == ("failed", "checkpoint_damaged", 1)
    assert any("damaged" in message for message in messages(db, child))
