"""A dashboard in a real server with a job to look at: what its browser tests, and a person with a browser, need."""

import contextlib
import io
import math
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from PIL import Image

from api.app import create_app
from api.resources.jobs import creation
from api.services import SampleRequest, Services
from models import presets
from models.specs import figures
from store import checkpoints, jobs, keys, payloads, runs, workers
from store.artifacts import LocalArtifacts
from store.database import Database
from store.queue import Queue
from store.settings import Settings
from tests.api.conftest import LEASE_SECONDS, FakeSampler
from tests.conftest import wait_for

PIXELS = 28


class PictureSampler(FakeSampler):
    """Draws a real PNG without a network: a gradient that differs from one checkpoint to the next."""

    def grid_png(self, checkpoint_id: str, folder: Path, request: SampleRequest, *, columns: int) -> bytes:
        shift = sum(checkpoint_id.encode()) % 97
        width, height = columns * PIXELS, math.ceil(request.count / columns) * PIXELS
        shades = bytes((x * y + shift * x) % 256 for y in range(height) for x in range(width))
        file = io.BytesIO()
        Image.frombytes("L", (width, height), shades).save(file, "PNG")
        return file.getvalue()


@dataclass(frozen=True)
class Installation:
    """A served installation and its worker's part, played through the store."""

    url: str
    services: Services
    key: str

    def create(self, *, name: str | None, tenant: str = keys.DEFAULT_TENANT, images: int = 2_000_000) -> str:
        spec = presets.resolve({"name": name, "budget": {"images": images}})
        new = creation.new_job(spec, tenant=tenant)
        with self.services.database.write() as session:
            return jobs.create(session, new=new).id

    def start(self, job_id: str) -> None:
        with self.services.database.write() as session:
            workers.beat(session, worker_id="test", host="here", pid=1, device="cpu")
            assert runs.claim(session, job_id=job_id, owner="test", lease_seconds=LEASE_SECONDS)

    def tick(self, job_id: str, images_seen: int) -> None:
        x = images_seen / 100_000
        values = {
            "loss_g": 0.9 + 0.3 * math.sin(x) + 1 / (1 + x),
            "loss_d": 0.6 + 0.2 * math.cos(x),
            "logit_real": 0.5 + 0.1 * math.sin(3 * x),
            "logit_fake": -0.5 - 0.1 * math.sin(3 * x),
            "d_accuracy": 0.7 + 0.05 * math.sin(x),
            "grad_norm_g": 0.2 + 0.05 * math.cos(5 * x),
            "grad_norm_d": 0.4 + 0.05 * math.sin(5 * x),
            "diversity": 0.95,
            "images_per_second": 9800 + 200 * math.sin(2 * x),
            "lr_g": 1e-3,
            "lr_d": 1e-3,
            "r1": 0.02 + 0.01 * math.cos(x),
            "r2": 0.03 + 0.01 * math.sin(x),
        }
        with self.services.database.write() as session:
            runs.record_tick(
                session,
                job_id=job_id,
                attempt=1,
                images_seen=images_seen,
                seconds_trained=images_seen / 9800,
                values=values,
            )

    def tell(self, job_id: str, kind: str, images_seen: int, **data: object) -> None:
        payload = payloads.BY_TYPE[kind](**data)
        with self.services.database.write() as session:
            runs.record_event(session, job_id=job_id, attempt=1, kind=kind, images_seen=images_seen, data=payload)

    def save(self, job_id: str, images_seen: int, *, quality: dict[str, float] | None = None) -> str:
        path = f"jobs/{job_id}/checkpoints/{images_seen}"
        with self.services.artifacts.put(path, min_free_bytes=0) as folder:
            (folder / "generator.safetensors").write_bytes(b"weights")
        new = checkpoints.NewCheckpoint(
            images_seen=images_seen,
            seconds_trained=1.0,
            path=path,
            size_bytes=7_654_321,
            quality=quality,
            rank=None if quality is None else figures.rank(quality),
        )
        with self.services.database.write() as session:
            return checkpoints.add(session, job_id=job_id, attempt=1, new=new).id

    def finish(self, job_id: str, status: str, reason: payloads.Reason) -> None:
        with self.services.database.write() as session:
            runs.finish(session, job_id=job_id, attempt=1, status=status, reason=reason)


@contextlib.contextmanager
def serving(folder: Path, *, database_url: str, redis_url: str, port: int) -> Iterator[Installation]:
    settings = Settings(data_dir=folder, database_url=database_url, redis_url=redis_url, lease_seconds=LEASE_SECONDS)
    queue = Queue(settings.redis)
    database = Database(settings.database, deliver=queue.deliver)
    services = Services(
        settings=settings,
        database=database,
        queue=queue,
        artifacts=LocalArtifacts(settings.artifacts_dir),
        sampler=PictureSampler(),
    )
    with database.write() as session:
        _, key = keys.create(session, tenant=keys.DEFAULT_TENANT, name="browser", role="admin")
    # Streams stay open as long as a browser looks: the server must not wait for them.
    config = uvicorn.Config(
        create_app(services), host="127.0.0.1", port=port, log_config=None, timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_for(lambda: server.started, what="uvicorn")
        yield Installation(url=f"http://127.0.0.1:{port}", services=services, key=key)
    finally:
        server.should_exit = True
        thread.join()
        queue.close()
        database.close()
