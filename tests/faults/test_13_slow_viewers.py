"""Promise 13: viewers that never read do not noticeably slow the others or the training."""

import asyncio
import time

import numpy as np
import psutil
import pytest
from sqlalchemy import insert, select, update

from store import tables
from tests.faults import crowd
from tests.faults.extent import FULL
from tests.faults.jobs import ENDLESS

pytestmark = pytest.mark.promise(13, "Slow viewers harm nobody")
HISTORY_EVENTS = 10_000
"""More events than the kernel buffers for a viewer that does not read: some 2.6 MB on the loopback."""
ALONE_SECONDS = 30.0
WATCH_SECONDS = 60.0 if FULL else 3.0
MEMORY_BYTES = 200e6
LATENCY_SECONDS = 2.0
SLOWDOWN = 0.03


@pytest.mark.faults(small=50, full=1_000, small_on=["PostgreSQL"])
def test_viewers_that_never_read_harm_nobody(stack, count, ledger, wait_for):
    """One viewer in ten never reads. Only full runs compare the speed with the times before and after."""
    with stack.client() as client:
        job_id = client.create_job(ENDLESS | {"metrics": {"every_images": 16_000}}).id
    wait_for(lambda: stack.job(job_id).last_event_id > 5, what="training")
    _add_history(stack, job_id)
    before = _alone(stack, job_id) if FULL else None
    with crowd.many_files():
        during = asyncio.run(_watched(stack, job_id, count, ledger))
    if before:
        after = _alone(stack, job_id)
        slowdown = 1 - during.images_per_second / ((before.images_per_second + after.images_per_second) / 2)
        ledger.figure("training", f"{-100 * slowdown:+.1f} % ({before}, {during}, {after})")
        ledger.expect(slowdown < SLOWDOWN, f"the training was {100 * slowdown:.1f} % slower")


async def _watched(stack, job_id, count, ledger):
    """Return the training's pace while the crowd watches."""
    api = psutil.Process(stack.api.pid)
    bytes_before = peak_bytes = api.memory_info().rss
    newest = stack.job(job_id).last_event_id
    visitors = crowd.Crowd(port=stack.port, path=f"/v1/jobs/{job_id}/events", headers=stack.headers)
    async with visitors.readers(count - count // 10, after=newest):
        visitors.seen.latencies_seconds.clear()
        with visitors.mutes(count // 10, after=0):
            for _ in range(count // 10):
                ledger.fault("viewer that never reads")
            pace, used = Pace(stack, job_id), _cpu_seconds(api)
            until = time.monotonic() + WATCH_SECONDS
            while time.monotonic() < until:
                await asyncio.sleep(0.2)  # a sample each
                peak_bytes = max(peak_bytes, api.memory_info().rss)
            cores = (_cpu_seconds(api) - used) / WATCH_SECONDS
            await asyncio.to_thread(pace.stop)
    _judge(visitors.seen, ledger, grown_bytes=peak_bytes - bytes_before)
    ledger.figure("API", f"{cores:.2f} cores")
    return pace


def _judge(seen, ledger, *, grown_bytes):
    for fault in seen.faults:
        ledger.violation(fault)
    ledger.outcome("events read", len(seen.latencies_seconds))
    ledger.figure("memory", f"+{grown_bytes / 1e6:.0f} MB")
    ledger.expect(grown_bytes < MEMORY_BYTES, f"the API has grown by {grown_bytes / 1e6:.0f} MB")
    assert seen.latencies_seconds, "nobody has read anything"
    p99, slowest = np.quantile(seen.latencies_seconds, [0.99, 1.0])
    ledger.figure("p99", f"{p99:.2f} s")
    ledger.figure("slowest", f"{slowest:.2f} s")
    ledger.expect(p99 < LATENCY_SECONDS, f"99 % of the events were read within {p99:.2f} s")


class Pace:
    """Measures how fast a job trains from now on until `stop`."""

    def __init__(self, stack, job_id):
        self._stack, self._job_id = stack, job_id
        self._since = stack.job(job_id).last_event_id
        (self._trainer,) = stack.trainers()
        self._used, self._began = _cpu_seconds(self._trainer), time.monotonic()

    def stop(self):
        self.cores = (_cpu_seconds(self._trainer) - self._used) / (time.monotonic() - self._began)
        ticks = select(tables.Event.images_seen, tables.Event.at).where(
            tables.Event.job_id == self._job_id, tables.Event.id > self._since, tables.Event.tick_images.is_not(None)
        )
        with self._stack.database.read() as session:
            rows = session.execute(ticks.order_by(tables.Event.id)).all()
        (first_images, first_at), (last_images, last_at) = rows[0], rows[-1]
        self.images_per_second = (last_images - first_images) / (last_at - first_at) if last_at > first_at else 0.0
        return self

    def __str__(self):
        return f"{self.images_per_second:.0f} images/s on {self.cores:.2f} cores"


def _alone(stack, job_id):
    pace = Pace(stack, job_id)
    time.sleep(ALONE_SECONDS)  # what is measured
    return pace.stop()


def _cpu_seconds(process):
    return sum(process.cpu_times()[:2])


def _add_history(stack, job_id):
    """Add the history of a job that has trained for long, in one transaction, behind the service's back."""
    with stack.database.write() as session:
        newest = session.scalar(
            update(tables.Job)
            .where(tables.Job.id == job_id)
            .values(last_event_id=tables.Job.last_event_id + HISTORY_EVENTS)
            .returning(tables.Job.last_event_id)
        )
        tick = session.scalar(
            select(tables.Event).where(tables.Event.job_id == job_id, tables.Event.type == "metrics").limit(1)
        )
        common = {"job_id": job_id, "type": "log", "at": tick.at, "images_seen": tick.images_seen, "data": tick.data}
        rows = [common | {"id": newest - place, "tick_images": None} for place in range(HISTORY_EVENTS)]
        session.execute(insert(tables.Event), rows)
