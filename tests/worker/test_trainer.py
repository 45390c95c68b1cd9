"""How the ends of an attempt are written down."""

import pytest
import torch

from models import training
from models.data.errors import DatasetMissing
from store import runs, states
from store.errors import LeaseLost
from tests.worker.conftest import TINY
from worker import exits
from worker.trainer import Trainer


@pytest.fixture
def trainer(db, settings, submit):
    job_id = submit(TINY)
    with db.write() as session:
        job = runs.claim(session, job_id=job_id, owner="test", lease_seconds=60)
    return Trainer(job=job, settings=settings, db=db, stop=lambda: False)


def raising(error: BaseException):
    def train(*_: object, **__: object):
        raise error
        yield

    return train


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (training.Diverged("non_finite", images_seen=5, message="the losses are not finite"), "diverged", "non_finite"),
        (torch.OutOfMemoryError("CUDA out of memory"), "failed", "out_of_memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "failed", "out_of_memory"),
        (MemoryError(), "failed", "out_of_memory"),
        (torch._dynamo.exc.InternalTorchDynamoError("no working C++ compiler"), "failed", "not_compiled"),
        (DatasetMissing("fetch it"), "failed", "dataset_missing"),
    ],
)
def test_what_another_attempt_could_not_mend_ends_the_job(trainer, job_of, monkeypatch, error, status, code):
    monkeypatch.setattr(training, "train", raising(error))
    assert trainer.run_guarded() == exits.DONE
    job = job_of(trainer.job.id)
    assert (job.status, job.reason_code) == (status, code)


def test_an_unknown_error_is_left_to_the_supervisor(trainer, monkeypatch):
    monkeypatch.setattr(training, "train", raising(RuntimeError("a bug")))
    with pytest.raises(RuntimeError, match="a bug"):
        trainer.run_guarded()


def test_a_full_disk_keeps_the_last_checkpoint_and_pauses_the_job(trainer, job_of):
    trainer.settings = trainer.settings.model_copy(update={"min_free_bytes": 2**62})
    assert trainer.run_guarded() == exits.DONE
    job = job_of(trainer.job.id)
    assert (job.status, job.reason_code) == ("paused", "storage_full")


def test_a_stale_attempt_stops_at_its_first_write(trainer, db):
    with db.write() as session:
        runs.release(session, job_id=trainer.job.id, attempt=1, reason=states.Reason("worker_stopped", "test"))
    with pytest.raises(LeaseLost):
        trainer.run_guarded()
