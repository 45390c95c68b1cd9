"""Tests of the API without torch: a fake sampler, real database and Redis."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.services import SampleRequest, Services
from models.checkpoints.errors import CorruptCheckpoint
from store import checkpoints, keys, payloads, runs, states, timeline
from store.artifacts import LocalArtifacts
from store.database import Database
from store.queue import Queue
from store.settings import Settings

LEASE_SECONDS = 1800.0
"""A lease longer than any test: a worker that lives when a test begins still does at its end, on slow machines too."""


class FakeSampler:
    """Returns the requests it was given, and counts them. A folder with the file `damaged` is a damaged checkpoint."""

    def __init__(self) -> None:
        self.drawn = 0

    def check(self, checkpoint_id: str, folder: Path) -> None:
        if not folder.exists() or (folder / "damaged").exists():
            raise CorruptCheckpoint("bytes differ from the manifest")

    def grid_png(self, checkpoint_id: str, folder: Path, request: SampleRequest, *, columns: int) -> bytes:
        return self._answer(folder, f"{checkpoint_id} {request} {columns}")

    def images_npz(self, checkpoint_id: str, folder: Path, request: SampleRequest) -> bytes:
        return self._answer(folder, f"npz {checkpoint_id} {request}")

    def images_zip(self, checkpoint_id: str, folder: Path, request: SampleRequest) -> bytes:
        return self._answer(folder, f"zip {checkpoint_id} {request}")

    def estimate(self, spec: object) -> Any:
        """The fields of models.estimates.Estimate, which imports torch."""
        return SimpleNamespace(
            generator_parameters=10, discriminator_parameters=20, flops_per_image=100, memory_bytes=1000
        )

    def _answer(self, folder: Path, text: str) -> bytes:
        self.check("", folder)
        self.drawn += 1
        return text.encode()


@pytest.fixture
def settings(tmp_path: Path, database_url: str, redis_url: str) -> Settings:
    return Settings(data_dir=tmp_path, database_url=database_url, redis_url=redis_url, lease_seconds=LEASE_SECONDS)


@pytest.fixture
def services(settings: Settings) -> Iterator[Services]:
    queue = Queue(settings.redis)
    database = Database(settings.database, deliver=queue.deliver)
    yield Services(
        settings=settings,
        database=database,
        queue=queue,
        artifacts=LocalArtifacts(settings.artifacts_dir),
        sampler=FakeSampler(),
    )
    queue.close()
    database.close()


@pytest.fixture
def anonymous(services: Services) -> Iterator[TestClient]:
    """Return a client without a key. A server error is an answer here, not an exception."""
    with TestClient(create_app(services), raise_server_exceptions=False) as client:
        yield client


def make_key(services: Services, *, role: str = "admin", tenant: str = keys.DEFAULT_TENANT) -> str:
    with services.database.write() as session:
        return keys.create(session, tenant=tenant, name=role, role=role)[1]


@pytest.fixture
def client(anonymous: TestClient, services: Services) -> TestClient:
    """Return a client with an admin key."""
    anonymous.headers["Authorization"] = f"Bearer {make_key(services)}"
    return anonymous


@dataclasses.dataclass(frozen=True)
class Runner:
    """Does a worker's part on a job."""

    services: Services

    def start(self, job_id: str) -> None:
        with self.services.database.write() as session:
            assert runs.claim(session, job_id=job_id, owner="test", lease_seconds=LEASE_SECONDS)

    def tick(self, job_id: str, images_seen: int, **values: float) -> None:
        with self.services.database.write() as session:
            runs.record_tick(
                session, job_id=job_id, attempt=1, images_seen=images_seen, seconds_trained=1.0, values=values
            )

    def save(self, job_id: str, images_seen: int, *, fid: float | None = None, damaged: bool = False) -> str:
        path = f"jobs/{job_id}/checkpoints/{images_seen}"
        with self.services.artifacts.put(path, min_free_bytes=0) as folder:
            (folder / "generator.safetensors").write_bytes(b"weights")
            if damaged:
                (folder / "damaged").touch()
        new = checkpoints.NewCheckpoint(
            images_seen=images_seen,
            seconds_trained=1.0,
            path=path,
            size_bytes=7,
            quality=None if fid is None else {"fid": fid},
            rank=None if fid is None else [fid],
        )
        with self.services.database.write() as session:
            return checkpoints.add(session, job_id=job_id, attempt=1, new=new).id

    def draw(self, job_id: str, images_seen: int, *, name: str | None = None) -> str | None:
        """Add a grid to the timeline; return the key of the one that it stands in for."""
        path = f"jobs/{job_id}/timeline/{name or images_seen}"
        with self.services.artifacts.put(path, min_free_bytes=0) as folder:
            (folder / "grid.png").write_bytes(f"grid {images_seen}".encode())
        with self.services.database.write() as session:
            return timeline.add(session, job_id=job_id, attempt=1, images_seen=images_seen, path=path)

    def stop(self, job_id: str) -> None:
        """Stop in good order, as for a pause or a cancel."""
        with self.services.database.write() as session:
            runs.release(session, job_id=job_id, attempt=1, reason=payloads.Reason("stopped", "asked to"))

    def end(self, job_id: str, status: str = states.SUCCEEDED) -> None:
        with self.services.database.write() as session:
            runs.finish(session, job_id=job_id, attempt=1, status=status, reason=payloads.Reason("completed", "done"))


@pytest.fixture
def runner(services: Services) -> Runner:
    return Runner(services)


@pytest.fixture
def browser(anonymous, services):
    """Return a client signed in as an admin, with nothing but the cookie."""
    assert sign_in(anonymous, make_key(services)).status_code == 303
    return anonymous


def post(client, **body):
    answer = client.post("/v1/jobs", json=body)
    assert answer.status_code == 202, answer.text
    return answer.json()


def sign_in(client, key, *, to="/", **headers):
    return client.post("/login", data={"key": key, "next": to}, headers=headers, follow_redirects=False)


def make_job(services, **wishes):
    """Create a job as another client would, with a key of its own."""
    with TestClient(create_app(services)) as client:
        client.headers["Authorization"] = f"Bearer {make_key(services, tenant=wishes.pop('tenant', 'default'))}"
        return post(client, **wishes)["id"]
