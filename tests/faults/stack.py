"""The service's own processes, started one by one as an operator starts them, and controlled by a test."""

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

import httpx
import psutil
from sqlalchemy import select

from embedded.redis import free_port
from saddle.client import Client
from saddle.errors import ApiError
from store import database, migrations, states, tables
from store.database import Database
from tests import tiny
from tests.conftest import wait_for
from tests.faults import mortal_api
from tests.faults.process import Process
from tests.faults.servers import PostgreSQL, Redis

START_SECONDS = 120.0
OUTAGE_SECONDS = 30.0
"""The seconds for which a look into the database is tried again."""


class Stack:
    """API, workers and reconciler on a database and a Redis server of their own; `postgres` is None on SQLite."""

    def __init__(
        self,
        folder: Path,
        *,
        redis: Redis,
        postgres: PostgreSQL | None,
        workers: int = 1,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.redis = redis
        self.postgres = postgres
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        address = postgres.create(f"faults_{os.getpid()}_{self.port}") if postgres else f"sqlite:///{folder}/saddle.db"
        self.environment = {
            **os.environ,
            **tiny.SETTINGS,
            "SADDLE_DATA_DIR": str(folder),
            "SADDLE_DATABASE_URL": address,
            "SADDLE_REDIS_URL": redis.url,
            "SADDLE_PORT": str(self.port),
            **(settings or {}),
        }
        migrations.upgrade(address)
        self.database = Database(address, deliver=lambda outbox: None)
        """The database, to read and to write behind the service's back."""
        self.api = self._process("api", "-m", "tests.faults.mortal_api")
        self.reconciler = self._process("reconciler", "-m", "worker.reconciler")
        self.workers: list[Process] = []
        for _ in range(workers):
            self.add_worker()

    def add_worker(self) -> Process:
        number = len(self.workers)
        celery = ("-m", "celery", "-A", "worker.app:app", "worker", "--concurrency", "1", "--loglevel", "WARNING")
        options = ("--without-gossip", "--without-mingle", "--hostname", f"w{number}@%h")
        self.workers.append(self._process(f"worker-{number}", *celery, *options))
        return self.workers[-1]

    @property
    def processes(self) -> list[Process]:
        return [self.api, self.reconciler, *self.workers]

    def family(self) -> list[psutil.Process]:
        """Return all living processes of the service, whoever is their parent by now."""
        mark = str(self.folder)
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                zombie = process.status() == psutil.STATUS_ZOMBIE
                if not zombie and process.pid != os.getpid() and process.environ().get("SADDLE_DATA_DIR") == mark:
                    found.append(process)
        return found

    def trainers(self) -> list[psutil.Process]:
        found = []
        for process in self.family():
            with contextlib.suppress(psutil.NoSuchProcess):
                if "worker.runner" in process.cmdline():
                    found.append(process)
        return found

    # The API

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {(self.folder / 'api-key').read_text().strip()}"}

    @contextmanager
    def http(self) -> Iterator[httpx.Client]:
        limits = httpx.Limits(max_connections=None)
        with httpx.Client(
            base_url=self.url, headers=self.headers, timeout=30, limits=limits, trust_env=False
        ) as client:
            yield client

    def client(self, *, port: int | None = None) -> Client:
        """Return a client. `port`: another way to the API, such as a proxy's."""
        return Client(f"http://127.0.0.1:{port or self.port}", (self.folder / "api-key").read_text().strip())

    def answers(self) -> bool:
        return self._answers("/healthz")

    def is_ready(self) -> bool:
        return self._answers("/readyz") and (self.folder / "api-key").exists()

    def order_death_at_commit(self) -> None:
        """Order the API to die once the next job has been committed, before anything is published."""
        (self.folder / mortal_api.DIED).unlink(missing_ok=True)
        (self.folder / mortal_api.DIE).touch()

    def await_death_at_commit(self) -> str:
        """Return the id of the job whose commit was the last thing that the API did."""
        wait_for(lambda: not self.api.is_alive, what="the API's death")
        return (self.folder / mortal_api.DIED).read_text()

    # The database

    def job(self, job_id: str) -> tables.Job | None:
        def look() -> tables.Job | None:
            with self.database.read() as session:
                return session.get(tables.Job, job_id)

        return database.retry(look, seconds=OUTAGE_SECONDS)

    def jobs(self) -> list[tables.Job]:
        def look() -> list[tables.Job]:
            with self.database.read() as session:
                return list(session.scalars(select(tables.Job).order_by(tables.Job.id)))

        return database.retry(look, seconds=OUTAGE_SECONDS)

    def events(self, job_id: str) -> list[tables.Event]:
        def look() -> list[tables.Event]:
            query = select(tables.Event).where(tables.Event.job_id == job_id).order_by(tables.Event.id)
            with self.database.read() as session:
                return list(session.scalars(query))

        return database.retry(look, seconds=OUTAGE_SECONDS)

    # Between tests

    def cancel(self, job_ids: Iterable[str]) -> None:
        """Cancel jobs. Those that have ended meanwhile stay as they are."""
        with self.client() as client:
            for job_id in job_ids:
                try:
                    client.cancel_job(job_id)
                except ApiError as error:
                    if error.status != HTTPStatus.CONFLICT:
                        raise

    def mend(self) -> None:
        """Start or continue everything that was killed or frozen."""
        for part in (self.redis, self.postgres):
            if part is not None:
                part.thaw()
                if not part.is_alive:
                    part.start()
        (self.folder / mortal_api.DIE).unlink(missing_ok=True)
        for process in self.processes:
            process.thaw()
            if not process.is_alive:
                process.start()
        for trainer in self.trainers():
            with contextlib.suppress(psutil.NoSuchProcess):  # it ended just now
                trainer.resume()
        wait_for(self.is_ready, seconds=START_SECONDS, what="the service")

    def settle(self) -> None:
        """Cancel every job that has not ended, and wait for the end."""
        self.cancel(job.id for job in self.jobs() if job.status not in states.ENDED)
        # As long as a start may take: a runner that is starting sees the cancel afterwards.
        wait_for(self._has_ended_all, seconds=START_SECONDS, what="the jobs' ends")

    def _has_ended_all(self) -> bool:
        return all(job.status in states.ENDED for job in self.jobs())

    def close(self) -> None:
        """End every process; assert that none remains."""
        self.database.close()
        for process in self.processes:
            process.thaw()
            process.ask()
        for process in self.processes:
            process.stop()
        _, alive = psutil.wait_procs(self.family(), timeout=5)
        for orphan in alive:
            orphan.kill()
        assert alive == [], f"these outlived the service: {alive}"

    def _process(self, name: str, *arguments: str) -> Process:
        return Process([sys.executable, *arguments], environment=self.environment, log=self.folder / f"{name}.log")

    def _answers(self, path: str) -> bool:
        try:
            return httpx.get(f"{self.url}{path}", timeout=5, trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False
