"""`python -m tests.faults.soak`: a service under long load, with a random fault every few seconds.

Two workers run small jobs, some of which are paused or cancelled meanwhile. Every job must end in the state that its
client has asked for, its series and events without a gap, and the memory of the API and the workers must not grow.
`--seed` repeats a run as far as clocks allow. Prints what was done and found; the exit status is 1 after a violation.
"""

import argparse
import contextlib
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
import psutil

from saddle.errors import ApiError, SaddleError
from store import states
from store.queue import Queue
from tests.conftest import wait_for
from tests.faults import saved
from tests.faults.jobs import TINY
from tests.faults.ledger import Ledger
from tests.faults.servers import PostgreSQL, Redis, postgresql
from tests.faults.stack import Stack

TICK_IMAGES = 640
GROWTH = 1.15
"""The largest allowed growth of memory, from the second quarter of the time to the last."""


class Soak:
    def __init__(self, stack: Stack, *, chance: random.Random, jobs: int, seconds: float) -> None:
        self.stack = stack
        self.chance = chance
        self.ledger = Ledger()
        self.job_ids: list[str] = []
        self.cancelled: set[str] = set()
        self.memory: dict[str, list[tuple[float, int]]] = {"the API": [], "the workers": []}
        self.images = self._images_a_job(seconds=seconds, jobs=jobs)
        self.spacing = seconds * 0.7 / jobs
        self.wanted = jobs
        self.posted_at = 0.0
        self.done = threading.Event()

    def run(self, *, seconds: float, fault_seconds: float) -> None:
        began = time.monotonic()
        viewer = threading.Thread(target=self._look_around, daemon=True)
        viewer.start()
        hurt_at = began
        while (now := time.monotonic()) - began < seconds:
            if len(self.job_ids) < self.wanted and now - self.posted_at > self.spacing:
                self._post()
            if now - hurt_at > fault_seconds:
                hurt_at = now
                self._hurt()
            self._weigh(now - began)
            time.sleep(1)  # the rhythm of the soak
        self.done.set()
        viewer.join(60)
        self._end(seconds)

    # What a client does

    def _images_a_job(self, *, seconds: float, jobs: int) -> int:
        """Return a budget that keeps two workers busy for half of the time, at some ten thousand such images a second
        each.
        """
        return int(2 * seconds * 0.5 / jobs * 10_000) // TICK_IMAGES * TICK_IMAGES

    def _post(self) -> None:
        spec = TINY | {
            "budget": {"images": self.images},
            "checkpoint": {"every_images": 100 * TICK_IMAGES},
            "metrics": {"every_images": TICK_IMAGES},
            "max_attempts": 100,
            "seed": len(self.job_ids),
        }
        try:
            with self.stack.client() as client:
                self.job_ids.append(client.create_job(spec, idempotency_key=f"soak-{len(self.job_ids)}").id)
        except SaddleError:
            return  # the next second, with the same key
        self.posted_at = time.monotonic()

    def _look_around(self) -> None:
        """Read, as people and scripts do. An API that is down is no violation, a server error is one."""
        chance = random.Random(1)
        while not self.done.wait(0.5):
            paths = ["/v1/jobs", "/readyz", "/metrics"]
            if self.job_ids:
                job_id = chance.choice(self.job_ids)
                paths += [f"/v1/jobs/{job_id}/samples.png?count=16", f"/v1/jobs/{job_id}/metrics"]
            try:
                with self.stack.http() as http:
                    status = http.get(chance.choice(paths)).status_code
            except (httpx.HTTPError, OSError):
                self.ledger.outcome("API away")
                continue
            self.ledger.outcome(f"answer {status}")
            if status == httpx.codes.INTERNAL_SERVER_ERROR:
                self.ledger.violation("a server error")

    def _unended(self) -> list[str]:
        return [job.id for job in self.stack.jobs() if job.status not in states.ENDED]

    def _cancel(self) -> None:
        if unended := self._unended():
            job_id = self.chance.choice(unended)
            with self.stack.client() as client:
                client.cancel_job(job_id)
            self.cancelled.add(job_id)

    def _pause_and_resume(self) -> None:
        if unended := self._unended():
            job_id = self.chance.choice(unended)
            with self.stack.client() as client:
                if client.pause_job(job_id).status in {states.PAUSING, states.PAUSED}:
                    wait_for(lambda: client.job(job_id).status not in {states.RUNNING, states.PAUSING}, what="pause")
                    if client.job(job_id).status == states.PAUSED:
                        client.resume_job(job_id)

    # What befalls the service

    def _hurt(self) -> None:
        faults: list[tuple[str, Callable[[], object]]] = [
            ("trainer killed", self._kill_trainer),
            ("worker killed", lambda: self.chance.choice(self.stack.workers).restart()),
            ("worker stopped", self._restart_worker),
            ("runner frozen", self._freeze_runner),
            ("API killed", self.stack.api.restart),
            ("reconciler killed", self.stack.reconciler.restart),
            ("Redis killed", self.stack.redis.restart),
            ("Redis flushed", self.stack.redis.flush),
            ("Redis frozen", self._freeze_redis),
            ("hints repeated", self._repeat_hints),
            ("checkpoint damaged", self._damage),
            ("job cancelled", self._cancel),
            ("job paused and resumed", self._pause_and_resume),
        ]
        if self.stack.postgres is not None:
            faults.append(("PostgreSQL killed", self.stack.postgres.restart))
        name, fault = self.chance.choice(faults)
        try:
            fault()
        except ApiError as error:
            if error.status >= httpx.codes.INTERNAL_SERVER_ERROR and error.status != httpx.codes.SERVICE_UNAVAILABLE:
                raise
            name += ", in vain"  # the job had ended meanwhile
        except SaddleError:
            name += ", in vain"  # the API was not up again yet
        self.ledger.fault(name)

    def _kill_trainer(self) -> None:
        if trainers := self.stack.trainers():
            with contextlib.suppress(psutil.NoSuchProcess):  # it ended just now
                self.chance.choice(trainers).kill()

    def _restart_worker(self) -> None:
        worker = self.chance.choice(self.stack.workers)
        worker.stop()
        worker.start()

    def _freeze_runner(self) -> None:
        """Freeze the trainer and its supervisor, for two leases."""
        if trainers := self.stack.trainers():
            trainer = self.chance.choice(trainers)
            sleepers = [trainer, trainer.parent()]
            for sleeper in sleepers:
                with contextlib.suppress(psutil.NoSuchProcess):
                    sleeper.suspend()
            time.sleep(2 * float(self.stack.environment["SADDLE_LEASE_SECONDS"]))  # the fault itself
            for sleeper in sleepers:
                with contextlib.suppress(psutil.NoSuchProcess):
                    sleeper.resume()

    def _freeze_redis(self) -> None:
        self.stack.redis.freeze()
        time.sleep(3)  # the fault itself
        self.stack.redis.thaw()

    def _repeat_hints(self) -> None:
        queue = Queue(self.stack.redis.url)
        for job_id in self.job_ids:
            queue.hint(job_id)
        queue.close()

    def _damage(self) -> None:
        """Damage a checkpoint of a job that runs and keeps several."""
        for job in self.stack.jobs():
            if job.status == states.RUNNING and len(rows := saved.rows(self.stack, job.id)) > 1:
                file = saved.folder(self.stack, rows[0]) / "training.safetensors"
                if file.exists():
                    file.write_bytes(file.read_bytes()[:-1])
                    return

    # What is found

    def _weigh(self, second: float) -> None:
        groups = {"the API": [self.stack.api], "the workers": self.stack.workers}
        for name, processes in groups.items():
            try:
                heaviest = max(psutil.Process(process.pid).memory_info().rss for process in processes)
            except psutil.NoSuchProcess:
                continue
            self.memory[name].append((second, heaviest))

    def _end(self, seconds: float) -> None:
        self.stack.mend()
        self.ledger.expect(len(self.job_ids) == self.wanted, f"{len(self.job_ids)} jobs of {self.wanted} were posted")
        wait_for(lambda: not self._unended(), seconds=900, what="the jobs' ends")
        for job in self.stack.jobs():
            self.ledger.outcome(job.status)
            wanted = states.CANCELLED if job.id in self.cancelled else states.SUCCEEDED
            self.ledger.expect(job.status == wanted, f"{job.id} has {job.status}, not {wanted}: {job.reason_message}")
            events = self.stack.events(job.id)
            ids = [event.id for event in events]
            self.ledger.expect(ids == list(range(1, len(ids) + 1)), f"{job.id}'s events have gaps")
            ticks = sorted(event.images_seen for event in events if event.type == "metrics")
            spaces = set(np.diff([images for images in ticks if images % TICK_IMAGES == 0]).tolist())
            self.ledger.expect(spaces <= {TICK_IMAGES}, f"{job.id}'s series has spaces of {spaces}")
        for name, weights in self.memory.items():
            early = [weight for second, weight in weights if 0.25 * seconds <= second < 0.5 * seconds]
            late = [weight for second, weight in weights if second >= 0.75 * seconds]
            before, after = statistics.median(early) / 2**20, statistics.median(late) / 2**20
            self.ledger.figure(f"memory of {name}", f"{before:.0f} to {after:.0f} MiB")
            self.ledger.expect(
                after < before * GROWTH, f"the memory of {name} grew from {before:.0f} to {after:.0f} MiB"
            )


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Hurts a service under load, again and again.")
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--fault-seconds", type=float, default=20.0, help="from one fault to the next")
    parser.add_argument("--jobs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="saddle-soak-") as folder:
        if options.database == "postgresql":
            with postgresql() as server:
                return _soak(Path(folder), options, postgres=server)
        return _soak(Path(folder), options, postgres=None)


def _soak(folder: Path, options: argparse.Namespace, *, postgres: PostgreSQL | None) -> int:
    redis = Redis(folder)
    stack = Stack(folder, redis=redis, postgres=postgres, workers=2)
    try:
        stack.mend()
        seconds = 60 * options.minutes
        soak = Soak(stack, chance=random.Random(options.seed), jobs=options.jobs, seconds=seconds)
        soak.run(seconds=seconds, fault_seconds=options.fault_seconds)
    finally:
        stack.close()
        redis.kill()
    print(f"soak of {options.minutes:g} minutes, seed {options.seed}, {options.database}: {soak.ledger}")
    for violation in soak.ledger.violations:
        print(f"  {violation}")
    return 1 if soak.ledger.violations else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
