"""The ends of a training, and how each is recorded."""

import pytest
import torch
from PIL import Image

from models import evaluators, training
from models.data.errors import DatasetMissing
from models.evaluators import Evaluation, Measured
from models.generation import pictures, sampling
from store import timeline
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


EVALUATED = TINY | {"evaluation": {"every_images": 3_200, "metrics": ["random_distance"], "samples": 1000}}


def evaluate_by(monkeypatch, values):
    """Let evaluations find these figures: in a run by the number of the evaluation, at its end by fresh noise."""
    found = iter(values)

    def evaluate(generator, *, noise=0, **_):
        value = next(found)
        return Evaluation({"fid": Measured(value, value, value)}, {})

    monkeypatch.setattr(evaluators, "evaluate", evaluate)


def test_the_best_checkpoints_are_judged_again_at_the_end(attempt_at, submit, job_of, monkeypatch):
    evaluate_by(monkeypatch, [5.0, 4.0, 6.0, 4.5, 5.5, 7.0])
    job_id = submit(EVALUATED)
    attempt = attempt_at(job_id)
    assert runner.run(attempt, kinds.load("training")) == ExitStatus.DONE
    rows = {row.images_seen: row for row in attempt.saved()}
    # Those at 6,400, 3,200 and 9,600 images were best, in this order, and were judged in it.
    assert {seen: row.quality for seen, row in rows.items()} == {
        6_400: {"fid": 4.5},
        3_200: {"fid": 5.5},
        9_600: {"fid": 7.0},
    }
    assert job_of(job_id).best_checkpoint == rows[6_400].id
    evaluate_by(monkeypatch, [5.0, 4.0, 6.0, 9.0, 5.5, 7.0])
    job_id = submit(EVALUATED)
    attempt = attempt_at(job_id)
    assert runner.run(attempt, kinds.load("training")) == ExitStatus.DONE
    best = job_of(job_id).best_checkpoint
    assert [row.images_seen for row in attempt.saved() if row.id == best] == [3_200], "the first was best by luck"


def test_an_early_stop_is_a_success_that_says_so(attempt_at, submit, job_of, monkeypatch):
    evaluate_by(monkeypatch, [5.0] * 20)
    job_id = submit(EVALUATED | {"evaluation": EVALUATED["evaluation"] | {"patience": 1}})
    assert runner.run(attempt_at(job_id), kinds.load("training")) == ExitStatus.DONE
    job = job_of(job_id)
    assert (job.status, job.reason_code, job.images_seen) == ("succeeded", "early_stopped", 6_400)


def test_the_timeline_has_a_grid_for_every_checkpoint_from_before_the_first_step(attempt_at, submit, db, artifacts):
    job_id = submit(TINY | {"checkpoint": {"every_images": 3_200, "keep_latest": 1, "keep_best": 0}})
    attempt = attempt_at(job_id)
    assert runner.run(attempt, kinds.load("training")) == ExitStatus.DONE
    assert len(attempt.saved()) == 1
    with db.read() as session:
        assert timeline.places(session, job_id=job_id) == [0, 3_200, 6_400, 9_600]
        paths = [timeline.path(session, job_id=job_id, images_seen=seen) for seen in (0, 3_200, 6_400, 9_600)]
    grids = []
    for path in paths:
        with artifacts.open(path, "grid.png") as file, Image.open(file) as picture:
            assert picture.size == (48, 48), "6 x 6 digits of 8 x 8 pixels"
            grids.append(picture.tobytes())
    assert len(set(grids)) == 4
    # The last one shows what the last checkpoint's weights draw, from the spec's seed.
    folder = artifacts.local_copy(attempt.saved()[0].path)
    drawn = sampling.images_NHWC(sampling.load(folder, device=torch.device("cpu")), seed=0, count=36)
    assert grids[-1] == pictures.picture_HWC(drawn, columns=6).tobytes()
