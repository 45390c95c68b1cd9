from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from api.resources.jobs import creation
from models import presets
from store import datasets, ids, jobs, runs, tables
from store.artifacts import LocalArtifacts
from store.database import Database
from store.queue import Queue
from store.settings import Settings
from tests import tiny
from worker.attempt import Attempt
from worker.kinds import dataset_import
from worker.supervisor import Supervisor

TINY = tiny.SPEC | {
    "budget": {"images": 9_600},
    "checkpoint": {"every_images": 3_200},
    "metrics": {"every_images": 640},
}
LONG = TINY | {"budget": {"images": 10**9}}
IMPORT = {
    "resolution": 28,
    "fit": "crop",
    "channels": "auto",
    "labels": "folders",
    "flips_natural": False,
    "background": "#ffffff",
    "holdout": 0.1,
    "layout": "images",
}


@pytest.fixture
def settings(tmp_path: Path, database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings that are in the environment too, where a runner's process reads them."""
    places = {"SADDLE_DATA_DIR": tmp_path, "SADDLE_DATABASE_URL": database_url, "SADDLE_REDIS_URL": redis_url}
    times = {"SADDLE_LEASE_SECONDS": 6, "SADDLE_CONTROL_SECONDS": 0.1, "SADDLE_BACKOFF_SECONDS": 0}
    for name, value in (tiny.SETTINGS | places | times).items():
        monkeypatch.setenv(name, str(value))
    return Settings()


@pytest.fixture
def broker(settings: Settings) -> Iterator[Queue]:
    queue = Queue(settings.redis)
    yield queue
    queue.close()


@pytest.fixture
def db(settings: Settings, broker: Queue) -> Iterator[Database]:
    database = Database(settings.database, deliver=broker.deliver)
    yield database
    database.close()


@pytest.fixture
def submit(db: Database) -> Callable[[dict[str, Any]], str]:
    def create(part: dict[str, Any]) -> str:
        find = creation.finder(db, "default")
        new = creation.new_job(presets.resolve(part, find=find), tenant="default")
        with db.write() as session:
            return jobs.create(session, new=new).id

    return create


@pytest.fixture
def job_of(db: Database) -> Callable[[str], tables.Job]:
    def get(job_id: str) -> tables.Job:
        with db.read() as session:
            return session.get_one(tables.Job, job_id)

    return get


@pytest.fixture
def attempt_at(db: Database, settings: Settings) -> Callable[..., Attempt]:
    """Claim a job and return its attempt, with settings changed as given."""

    def claim(job_id: str, *, stop: Callable[[], bool] = lambda: False, **changes: Any) -> Attempt:
        with db.write() as session:
            job = runs.claim(session, job_id=job_id, owner="test", lease_seconds=60)
        assert job is not None
        return Attempt(
            job=job,
            settings=settings.model_copy(update=changes),
            db=db,
            artifacts=LocalArtifacts(settings.artifacts_dir),
            stop=stop,
        )

    return claim


@pytest.fixture
def supervise(db: Database, settings: Settings) -> Callable[..., None]:
    """Run one attempt at a job to its end, in this thread."""

    def run(job_id: str, *, shutting_down: Callable[[], bool] = lambda: False) -> None:
        Supervisor(database=db, settings=settings, owner="test", shutting_down=shutting_down).run(job_id)

    return run


@pytest.fixture
def artifacts(settings: Settings) -> LocalArtifacts:
    return LocalArtifacts(settings.artifacts_dir)


@pytest.fixture
def upload(db: Database, artifacts: LocalArtifacts) -> Callable[..., tables.Dataset]:
    """Store a file as the API does, and queue its import."""

    def create(path: Path, *, form: str = "zip", entries: int = 40, **options: object) -> tables.Dataset:
        dataset_id = ids.new("ds")
        key = f"datasets/{dataset_id}/upload"
        with artifacts.put(key, min_free_bytes=0) as folder:
            (folder / dataset_import.UPLOAD).write_bytes(path.read_bytes())
        new = datasets.NewDataset(
            id=dataset_id,
            tenant="default",
            name=f"pets {dataset_id[-6:]}",
            file_name=path.name,
            upload=key,
            upload_bytes=path.stat().st_size,
            options=IMPORT | options,
            form=form,
            entries=entries,
            resolution=28,
        )
        with db.write() as session:
            return datasets.create(session, new=new)

    return create
