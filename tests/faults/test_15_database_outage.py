"""Promise 15: a job outlives its database's restarts, and writers of one SQLite file do not lock each other out."""

import json
import random
import subprocess
import sys
import time
from collections import Counter

import numpy as np
import pytest

from store import events
from store.database import Database
from tests.faults.jobs import TINY
from tests.faults.process import ROOT
from tests.store import rows

pytestmark = pytest.mark.promise(15, "Database outage survivable")
WRITERS = 8
TICK_IMAGES = 640


@pytest.mark.faults(small=1, full=10, on=["PostgreSQL"])
def test_a_job_outlives_the_restarts_of_its_database(stack, count, ledger, wait_for):
    """Every fifth time the database is away for longer than the lease, so that the job must be claimed again."""
    spec = TINY | {
        "budget": {"images": None, "seconds": 4.0 * count},
        "checkpoint": {"every_images": 100 * TICK_IMAGES},
        "metrics": {"every_images": TICK_IMAGES},
    }
    with stack.client() as client:
        job_id = client.create_job(spec).id

        def progresses():
            job = stack.job(job_id)
            return job.status == "running" and job.progress_at > risen_at

        for number in range(count):
            risen_at = stack.job(job_id).progress_at or 0.0
            wait_for(progresses, seconds=60, what=f"progress before restart {number}")
            stack.postgres.kill()
            if number % 5 == 4:
                time.sleep(float(stack.environment["SADDLE_LEASE_SECONDS"]) + 2)  # the outage itself
                ledger.fault("PostgreSQL away beyond the lease")
            else:
                time.sleep(random.uniform(0, 1))  # the outage itself
                ledger.fault("PostgreSQL restarted")
            stack.postgres.start()
        wait_for(lambda: stack.job(job_id).ended_at, seconds=60 + 10 * count, what="the job's end")
        job = stack.job(job_id)
        ledger.outcome(job.status)
        for event in stack.events(job_id):
            if event.data.get("status") == "queued" and event.data["reason"]:
                ledger.outcome(f"again after {event.data['reason']['code']}")
        ledger.expect(job.status == "succeeded", f"the job has {job.status}: {job.reason_message}")
        ledger.expect(job.crashes == 0, f"the outages have cost {job.crashes} attempts")
        ticks = client.metrics(job_id).images_seen
        spaces = Counter(np.diff([images for images in ticks if images % TICK_IMAGES == 0]).tolist())
        ledger.expect(set(spaces) == {TICK_IMAGES}, f"the series has spaces of {dict(spaces)} images")
        ids = [event.id for event in client.past_events(job_id)]
        ledger.expect(ids == list(range(1, len(ids) + 1)), "the events' ids have gaps")


@pytest.mark.faults(small=100, full=2_000, on=["SQLite"])
def test_writers_of_one_sqlite_file_lose_nothing(sqlite_url, count, ledger):
    job_ids = _create(sqlite_url, number=2)  # each written to by half of the writers
    arguments = [sys.executable, "-m", "tests.faults.writer", sqlite_url]
    writers = [
        subprocess.Popen(
            [*arguments, job_ids[number % 2], str(count)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for number in range(WRITERS)
    ]
    began = time.monotonic()
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.close()
        ledger.fault(f"writer of {count} rows")
    told = []
    for writer in writers:
        assert writer.stdout is not None
        told.append(json.loads(writer.stdout.read()))
    assert [writer.wait() for writer in writers] == [0] * WRITERS
    seconds = time.monotonic() - began
    for error in [error for writer in told for error in writer["errors"]]:
        ledger.violation(f"a write failed: {error}")
    ids = _event_ids(sqlite_url, job_ids)
    ledger.outcome("rows", sum(map(len, ids)))
    for found in ids:
        wanted = list(range(1, 1 + 1 + WRITERS // 2 * count))  # the first one is the job's own
        ledger.expect(found == wanted, f"{len(found)} rows of {len(wanted)} are there")
    ledger.figure("slowest write", f"{max(writer['slowest_seconds'] for writer in told):.1f} s")
    ledger.figure("rate", f"{WRITERS * count / seconds:.0f} writes/s")


def _create(url, *, number):
    database = Database(url, deliver=lambda outbox: None)
    made = [rows.create(database) for _ in range(number)]
    database.close()
    return made


def _event_ids(url, job_ids):
    database = Database(url, deliver=lambda outbox: None)
    with database.read() as session:
        found = [
            [event.id for event in events.after(session, job_id=job_id, event_id=0, limit=10**6)] for job_id in job_ids
        ]
    database.close()
    return found
