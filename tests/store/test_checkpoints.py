import pytest

from store import checkpoints, evaluations, jobs, payloads, runs
from store.errors import LeaseLost, NotFound
from tests.store.rows import claim, create, get


def add(
    db,
    job_id: str,
    images_seen: int,
    *,
    fid: float | None = None,
    rank: list[float] | None = None,
    attempt: int = 1,
) -> str:
    new = checkpoints.NewCheckpoint(
        images_seen=images_seen,
        seconds_trained=images_seen / 10,
        path=f"jobs/{job_id}/checkpoints/{images_seen}",
        size_bytes=10,
        quality=None if fid is None else {"fid": fid},
        rank=rank if fid is None else [fid],
    )
    with db.write() as session:
        return checkpoints.add(session, job_id=job_id, attempt=attempt, new=new).id


def test_the_newest_and_the_best_are_known_and_the_rest_is_pruned(db):
    job_id = create(db)
    assert claim(db, job_id)
    made = {
        images: add(db, job_id, images, fid=fid)
        for images, fid in ((10, 9.0), (20, 5.0), (30, None), (40, 7.0), (50, None))
    }
    job = get(db, job_id)
    assert job.latest_checkpoint == made[50]
    assert job.best_checkpoint == made[20]
    assert job.quality == {"fid": 7.0, "images_seen": 40}
    with db.write() as session:
        dropped = checkpoints.prune(session, job_id=job_id, attempt=1)
    assert sorted(dropped) == [f"jobs/{job_id}/checkpoints/{images}" for images in (10, 30)]
    with db.read() as session:
        assert [row.id for row in checkpoints.newest_first(session, job_id=job_id)] == [made[50], made[40], made[20]]
        with pytest.raises(NotFound):
            checkpoints.get(session, job_id=job_id, checkpoint_id=made[10])


def test_a_checkpoint_stays_while_its_evaluation_waits(db):
    job_id = create(db)
    assert claim(db, job_id)
    made = [add(db, job_id, images) for images in (10, 20, 30, 40)]
    with db.write() as session:
        waiting, ended = (
            evaluations.create(
                session,
                new=evaluations.NewEvaluation(
                    tenant="default",
                    subject=checkpoints.get(session, job_id=job_id, checkpoint_id=checkpoint_id),
                    dataset="digits",
                    dataset_id=None,
                    metrics=["kid"],
                    protocol={"samples": 1000},
                ),
            ).id
            for checkpoint_id in made[:2]
        )
        evaluations.cancel(session, evaluation_id=ended, tenant="default")
    with db.write() as session:
        assert checkpoints.prune(session, job_id=job_id, attempt=1) == [f"jobs/{job_id}/checkpoints/20"]
    with db.write() as session:
        evaluations.cancel(session, evaluation_id=waiting, tenant="default")
        assert checkpoints.prune(session, job_id=job_id, attempt=1) == [f"jobs/{job_id}/checkpoints/10"]


def test_ranks_are_compared_from_the_left_and_the_newest_of_equals_is_the_best(db):
    job_id = create(db)
    assert claim(db, job_id)
    for images, rank in enumerate([[0.0, -7.0], [0.0, -8.0, 0.2], [0.0, -8.0, 0.1], [0.0, -8.0, 0.1]], start=1):
        better = add(db, job_id, images, rank=rank)
        assert get(db, job_id).best_checkpoint == better
    add(db, job_id, 9, rank=[0.0, -7.0])
    add(db, job_id, 10)
    assert get(db, job_id).best_checkpoint == better


def test_a_stale_attempt_registers_no_checkpoint(db):
    job_id = create(db)
    assert claim(db, job_id)
    with db.write() as session:
        runs.release(session, job_id=job_id, attempt=1, reason=payloads.Reason("worker_stopped", "restart"))
    assert claim(db, job_id)
    with pytest.raises(LeaseLost):
        add(db, job_id, 10, attempt=1)
    assert get(db, job_id).latest_checkpoint is None


def test_another_jobs_checkpoint_is_not_there(db):
    job_id, other = create(db), create(db)
    assert claim(db, other)
    theirs = add(db, other, 10)
    with db.read() as session, pytest.raises(NotFound):
        checkpoints.get(session, job_id=job_id, checkpoint_id=theirs)


def test_a_pinned_checkpoint_stays_until_it_is_let_go(db):
    job_id = create(db)
    assert claim(db, job_id)
    made = [add(db, job_id, images) for images in (10, 20, 30, 40)]

    def pin(pinned: bool) -> None:
        with db.write() as session:
            checkpoints.pin(session, job_id=job_id, checkpoint_id=made[0], pinned=pinned)

    def kept() -> list[str]:
        with db.write() as session:
            checkpoints.prune(session, job_id=job_id, attempt=1)
            return [row.id for row in checkpoints.newest_first(session, job_id=job_id)]

    pin(True)
    assert kept() == [made[3], made[2], made[0]]
    pin(False)
    assert kept() == [made[3], made[2]]


def test_where_space_is_short_one_checkpoint_less_the_best_and_the_pinned_are_kept(db):
    job_id = create(db)
    assert claim(db, job_id)
    made = [add(db, job_id, images, fid=fid) for images, fid in ((10, 9.0), (20, 5.0), (30, 7.0), (40, 8.0))]
    with db.write() as session:
        checkpoints.pin(session, job_id=job_id, checkpoint_id=made[0], pinned=True)
        dropped = checkpoints.prune(session, job_id=job_id, attempt=1, keep_latest=1)
    assert dropped == [f"jobs/{job_id}/checkpoints/30"]


def test_a_fork_begins_with_its_parents_checkpoint(db):
    parent, job_id = create(db), create(db)
    assert claim(db, parent)
    add(db, parent, 10, fid=3.0)
    new = checkpoints.NewCheckpoint(
        images_seen=10,
        seconds_trained=0,
        path=f"jobs/{job_id}/checkpoints/10",
        size_bytes=10,
        quality={"fid": 3.0},
        rank=[3.0],
    )
    with db.write() as session:
        job = jobs.get(session, job_id=job_id, tenant="default")
        row = checkpoints.adopt(session, job=job, new=new)
    job = get(db, job_id)
    assert (job.latest_checkpoint, job.best_checkpoint, job.images_seen) == (row.id, row.id, 10)
    assert (job.status, job.attempt, row.attempt) == ("queued", 0, checkpoints.ADOPTED)
    assert claim(db, job_id)


def test_a_folder_that_is_registered_twice_has_one_row(db):
    job_id = create(db)
    assert claim(db, job_id)
    assert add(db, job_id, 10) == add(db, job_id, 10)
    with db.read() as session:
        assert len(checkpoints.newest_first(session, job_id=job_id)) == 1
