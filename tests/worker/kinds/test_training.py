"""The ends of a training, and how each is recorded."""

import pytest
import torch

from models import training
from models.data.errors import DatasetMissing
from tests.worker.conftest import TINY
from worker import kinds, runner
from worker.attempt import ExitStatus


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
def test_what_another_attempt_could_not_mend_ends_the_job(attempt_at, submit, job_of, monkeypatch, error, status, code):
    monkeypatch.setattr(training, "train", raising(error))
    job_id = submit(TINY)
    assert runner.run(attempt_at(job_id), kinds.load("training")) == ExitStatus.DONE
    job = job_of(job_id)
    assert (job.status, job.reason_code) == (status, code)


def test_an_unknown_error_is_left_to_the_supervisor(attempt_at, submit, monkeypatch):
    monkeypatch.setattr(training, "train", raising(RuntimeError("a bug")))
    with pytest.raises(RuntimeError, match="a bug"):
        runner.run(attempt_at(submit(TINY)), kinds.load("training"))


def test_a_full_disk_keeps_the_last_checkpoint_and_pauses_the_job(attempt_at, submit, job_of):
    job_id = submit(TINY)
    assert runner.run(attempt_at(job_id, min_free_bytes=2**62), kinds.load("training")) == ExitStatus.DONE
    job = job_of(job_id)
    assert (job.status, job.reason_code) == ("paused", "storage_full")


def test_a_training_that_is_asked_to_stop_stops_at_the_next_step(attempt_at, submit, job_of):
    job_id = submit(TINY)
    attempt = attempt_at(job_id, stop=lambda: True)
    assert runner.run(attempt, kinds.load("training")) == ExitStatus.STOPPED
    assert [row.images_seen for row in attempt.saved()] == [32]
    assert job_of(job_id).status == "running", "the supervisor knows why it was asked"
