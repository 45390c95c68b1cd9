import os
import time
from pathlib import Path

from store import checkpoints, evaluations, runs
from store.artifacts import LocalArtifacts
from store.evaluations import NewEvaluation
from tests.pictures import cats_and_dogs
from tests.worker.conftest import TINY
from worker.orphans import sweep

OLD = 2 * 3600.0


def folder(artifacts: LocalArtifacts, relative: str, *, age_seconds: float = OLD) -> Path:
    path = artifacts.root / relative
    path.mkdir(parents=True)
    (path / "manifest.json").write_text("{}")
    then = time.time() - age_seconds
    os.utime(path, (then, then))
    return path


def test_only_old_folders_without_a_row_are_removed(db, artifacts, submit):
    job_id = submit(TINY)
    place = f"jobs/{job_id}/checkpoints"
    known = folder(artifacts, f"{place}/000000000000010-1")
    orphan = folder(artifacts, f"{place}/000000000000020-1")
    partial = folder(artifacts, f"{place}/.000000000000030-1.abc.partial")
    nearest = folder(artifacts, f"jobs/{job_id}/nearest-2")
    of_an_evaluation = folder(artifacts, f"jobs/{job_id}/nearest-1")
    doomed = folder(artifacts, f"{place}/.000000000000005-1.abc.doomed")
    of_a_deleted_job = folder(artifacts, "jobs/job_0/checkpoints/000000000000010-1")
    doomed_job = folder(artifacts, "jobs/.job_1.abc.doomed")
    young = folder(artifacts, f"{place}/000000000000040-1", age_seconds=60)
    without_rows = folder(artifacts, f"jobs/{job_id}/pictures/1")
    with db.write() as session:
        assert runs.claim(session, job_id=job_id, owner="test", lease_seconds=60)
        new = checkpoints.NewCheckpoint(
            images_seen=10, seconds_trained=1, path=f"{place}/{known.name}", size_bytes=1, quality=None
        )
        checkpoints.add(session, job_id=job_id, attempt=1, new=new)
        measured = NewEvaluation(
            tenant="default",
            subject=checkpoints.newest_first(session, job_id=job_id)[0],
            dataset="digits",
            dataset_id=None,
            metrics=["memorisation"],
            protocol={"samples": 1000},
        )
        evaluations.create(session, new=measured).nearest = f"jobs/{job_id}/{nearest.name}"
    removed = sweep(db, artifacts, orphan_seconds=3600)
    assert len(removed) == 6
    assert known.exists()
    assert nearest.exists()
    assert young.exists()
    assert without_rows.exists(), "only checkpoints have rows"
    for gone in (orphan, partial, of_an_evaluation, doomed, of_a_deleted_job, doomed_job):
        assert not gone.exists()
    assert sweep(db, artifacts, orphan_seconds=3600) == []


def test_files_of_datasets_are_kept_as_long_as_they_have_a_row(db, artifacts, upload, tmp_path):
    made = upload(cats_and_dogs(tmp_path / "pets.zip"))
    uploaded = artifacts.root / made.upload
    os.utime(uploaded, (0, 0))
    gone = [
        folder(artifacts, f"datasets/{made.id}/.images-1.abc.partial"),
        folder(artifacts, f"datasets/{made.id}/images-1"),
        folder(artifacts, "datasets/ds_0/upload"),
    ]
    assert len(sweep(db, artifacts, orphan_seconds=3600)) == 3
    assert uploaded.exists()
    assert not any(path.exists() for path in gone)


def test_an_installation_without_artifacts_is_swept(db, artifacts):
    assert sweep(db, artifacts, orphan_seconds=3600) == []
