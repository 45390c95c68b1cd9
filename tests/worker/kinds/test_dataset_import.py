"""Dataset import, by the real runner: what is stored, and what is not when it ends early."""

import json
import threading

import numpy as np
import pytest

from models.data import mapped
from store import datasets, states, tables
from store.errors import Conflict
from tests import tiny
from tests.pictures import archive, cats_and_dogs, picture


@pytest.fixture
def dataset_of(db):
    def get(dataset):
        with db.read() as session:
            return datasets.get(session, dataset_id=dataset.id, tenant="default")

    return get


def keys(artifacts):
    return [one.key for one in artifacts.list("datasets")]


def test_an_imported_dataset_is_trained_on(upload, supervise, dataset_of, artifacts, db, tmp_path, submit, job_of):
    made = upload(cats_and_dogs(tmp_path / "pets.zip"))
    supervise(made.job_id)
    dataset = dataset_of(made)
    assert (datasets.status(dataset), dataset.job.reason_code) == ("ready", "completed"), dataset.job.reason_message
    assert (dataset.facts["images"], dataset.facts["holdout_images"]) == (36, 4)
    assert (dataset.facts["channels"], dataset.facts["classes"], dataset.class_names) == (3, 2, ["cats", "dogs"])
    assert keys(artifacts) == [dataset.path], "the upload is deleted"
    folder = artifacts.local_copy(dataset.path)
    assert json.loads((folder / "report.json").read_text())["refused"] == 0
    train, holdout = (mapped.load(folder, split=split) for split in ("train", "holdout"))
    assert (train.images_NCHW.shape, len(holdout)) == ((36, 3, 28, 28), 4)
    assert np.bincount(holdout.labels).tolist() == [2, 2]

    spec = tiny.SPEC | {"dataset": {"kind": "uploaded", "id": made.id}, "labels": True, "batch_size": 16}
    job_id = submit(spec | {"budget": {"images": 320}, "evaluation": {"metrics": []}})
    with db.write() as session, pytest.raises(Conflict, match=job_id):
        datasets.delete(session, dataset_id=made.id, tenant="default")
    supervise(job_id)
    assert job_of(job_id).status == states.SUCCEEDED, job_of(job_id).reason_message
    with db.write() as session:
        datasets.delete(session, dataset_id=made.id, tenant="default")
    with db.read() as session:
        assert session.get(tables.Job, made.job_id) is None


def test_what_cannot_be_used_is_in_the_report(upload, supervise, dataset_of, artifacts, tmp_path):
    members = [(f"{seed}.png", picture(seed)) for seed in range(12)]
    broken = [("cut.png", picture(12)[:200]), ("not.png", b"<html>"), ("notes.txt", b"hello")]
    made = upload(archive(tmp_path / "pets.zip", [*members, *broken]))
    supervise(made.job_id)
    dataset = dataset_of(made)
    report = json.loads((artifacts.local_copy(dataset.path) / "report.json").read_text())
    assert (report["images"] + report["holdout_images"], report["refused"]) == (12, 2)
    assert {entry["name"] for entry in report["refused_files"]} == {"cut.png", "not.png"}
    assert report["ignored_files"] == ["notes.txt"]


def test_too_few_pictures_fail_the_import_and_leave_nothing(upload, supervise, dataset_of, artifacts, tmp_path):
    made = upload(archive(tmp_path / "pets.zip", [(f"{seed}.png", picture(seed)) for seed in range(3)]))
    supervise(made.job_id)
    dataset = dataset_of(made)
    assert (datasets.status(dataset), dataset.job.reason_code) == ("failed", "refused")
    assert "3 pictures can be used; at least 10 are needed" in dataset.job.reason_message
    assert keys(artifacts) == [dataset.upload]


def test_a_cancelled_import_leaves_nothing(upload, supervise, dataset_of, artifacts, db, tmp_path, wait_for):
    slow = picture(1, size=(1000, 1000))
    large = cats_and_dogs(tmp_path / "pets.zip", number=3000, make=lambda seed: slow)
    made = upload(large, entries=3000)
    running = threading.Thread(target=supervise, args=(made.job_id,))
    running.start()
    wait_for(lambda: dataset_of(made).job.images_seen > 0, what="progress")
    with db.write() as session:
        datasets.cancel(session, dataset_id=made.id, tenant="default")
    running.join()
    dataset = dataset_of(made)
    assert (datasets.status(dataset), dataset.job.status) == ("failed", "cancelled")
    assert keys(artifacts) == [dataset.upload]
