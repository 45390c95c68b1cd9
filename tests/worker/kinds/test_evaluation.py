"""Evaluation, by the real runner: the same figures in every process, and clear ends where there are none."""

import shutil

import pytest

from models.specs.evaluations import CompleteProtocol, Protocol
from store import checkpoints, evaluations, jobs, states
from tests.worker.conftest import TINY


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


def test_the_same_evaluation_in_another_process_has_equal_digits(trained, evaluate):
    first, second = (evaluate(trained, "random_distance") for _ in range(2))
    assert first.job.status == states.SUCCEEDED, first.job.reason_message
    assert first.figures == second.figures
    assert first.protocol == second.protocol
    figure = first.figures["random_distance"]
    assert figure["interval"][0] < figure["value"] < figure["interval"][1]
    protocol = CompleteProtocol.model_validate(first.protocol)
    assert (protocol.reference, protocol.reference_images, protocol.dataset) == ("holdout", 300, "digits")
    assert (protocol.samples, protocol.seed) == (1000, 0)
    assert protocol.extractor is None, "a random distance is not measured in an extractor's features"
    other = evaluate(trained, "random_distance", seed=1)
    assert other.figures != first.figures
    train = evaluate(trained, "random_distance", reference="train")
    assert train.protocol["reference_images"] == 1497


def test_what_cannot_be_measured_is_told(trained, evaluate):
    row = evaluate(trained, "random_distance", "fid")
    assert row.job.status == states.SUCCEEDED
    assert set(row.figures) == {"random_distance"}
    assert "too few" in row.unavailable["fid"]


def test_a_checkpoint_that_is_gone_or_damaged_ends_the_evaluation(trained, evaluate, job_of, db, artifacts):
    with db.read() as session:
        path = checkpoints.newest_first(session, job_id=trained)[0].path
    folder = artifacts.local_copy(path)
    weights = folder / "generator.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert (evaluate(trained, "random_distance").job.reason_code) == "checkpoint_damaged"
    shutil.rmtree(folder)
    ended = evaluate(trained, "random_distance").job
    assert (ended.status, ended.reason_code) == (states.FAILED, "checkpoint_gone")
