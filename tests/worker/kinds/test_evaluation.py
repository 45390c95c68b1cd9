"""Evaluation, by the real runner: the same figures in every process, and clear ends where there are none."""

import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from models.data import ImageData
from models.evaluators import Evaluation, References
from models.specs.evaluations import CompleteProtocol, Protocol
from store import checkpoints, evaluations, jobs, states
from tests.worker.conftest import TINY
from worker.kinds.evaluation import _store_nearest


@pytest.fixture
def database_url(sqlite_url):
    """The rows are tested on both databases, by the API's tests."""
    return sqlite_url


@pytest.fixture
def trained(submit, supervise):
    """Train a job to its end."""
    job_id = submit(TINY)
    supervise(job_id)
    return job_id


@pytest.fixture
def evaluate(db, supervise):
    """Evaluate a job's latest checkpoint in a process of its own; return the row."""

    def run(job_id, *metrics, **protocol):
        with db.write() as session:
            job = jobs.get(session, job_id=job_id, tenant="default")
            assert job.latest_checkpoint is not None
            new = evaluations.NewEvaluation(
                tenant="default",
                subject=checkpoints.get(session, job_id=job_id, checkpoint_id=job.latest_checkpoint),
                dataset="digits",
                dataset_id=None,
                metrics=list(metrics),
                protocol=Protocol(**({"samples": 1000} | protocol)).model_dump(mode="json"),
            )
            made = evaluations.create(session, new=new)
        supervise(made.job_id)
        with db.read() as session:
            return evaluations.get(session, evaluation_id=made.id, tenant="default")

    return run


def test_figures_are_the_same_in_another_process_and_ends_without_any_are_told(
    trained, evaluate, job_of, db, artifacts
):
    first, second = (evaluate(trained, "random_distance", "fid") for _ in range(2))
    assert first.job.status == states.SUCCEEDED, first.job.reason_message
    assert set(first.figures) == {"random_distance"}
    assert "too few" in first.unavailable["fid"]
    assert (first.figures, first.protocol) == (second.figures, second.protocol)
    figure = first.figures["random_distance"]
    assert figure["interval"][0] < figure["value"] < figure["interval"][1]
    protocol = CompleteProtocol.model_validate(first.protocol)
    assert (protocol.reference, protocol.reference_images, protocol.dataset) == ("holdout", 300, "digits")
    assert (protocol.extractor, protocol.samples, protocol.seed) == ("imagenet", 1000, 0)
    other = evaluate(trained, "random_distance", seed=1, reference="train")
    assert other.figures != first.figures
    protocol = CompleteProtocol.model_validate(other.protocol)
    assert (protocol.reference, protocol.reference_images, protocol.seed) == ("train", 1497, 1)
    assert protocol.extractor is None, "a random distance is not measured in an extractor's features"

    # A checkpoint that is damaged, then gone
    with db.read() as session:
        path = checkpoints.newest_first(session, job_id=trained)[0].path
    folder = artifacts.local_copy(path)
    weights = folder / "generator.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert evaluate(trained, "random_distance").job.reason_code == "checkpoint_damaged"
    shutil.rmtree(folder)
    ended = evaluate(trained, "random_distance").job
    assert (ended.status, ended.reason_code) == (states.FAILED, "checkpoint_gone")


def test_the_picture_of_the_nearest_pairs_shows_each_sample_above_its_image(attempt_at, submit, artifacts):
    train = ImageData(images_NCHW=np.arange(12, dtype=np.uint8).reshape(12, 1, 1, 1), labels=np.zeros(12, np.int64))
    references = References.of(train, None)
    pairs = tuple((sample, image) for sample, image in zip(range(10), range(11, 1, -1), strict=True))
    drawn = torch.arange(100, 120, dtype=torch.uint8).reshape(20, 1, 1, 1)
    key = _store_nearest(attempt_at(submit(TINY)), Evaluation({}, {}, pairs), drawn, references)
    with artifacts.open(key, evaluations.NEAREST) as file:
        picture = np.asarray(Image.open(file))
    images = references.train.images.images_NCHW.ravel()
    assert picture[:2].tolist() == [list(range(100, 108)), [images[image] for image in range(11, 3, -1)]]
    assert (picture[2:6] == 255).all()
    assert picture[6:, :2].tolist() == [[108, 109], [images[3], images[2]]]
    assert _store_nearest(attempt_at(submit(TINY)), Evaluation({}, {}), drawn, references) is None
