"""The heartbeat renews the worker's row, and never hands a new pool process a lock that nobody releases."""

import subprocess
import sys

import pytest

from store import tables

BEATING = """
import multiprocessing, threading
from store import database, workers
from store.settings import Settings
from worker import heartbeat

beat, within, go_on = workers.beat, threading.Event(), threading.Event()

def slow_beat(session, **row):
    beat(session, **row)
    session.flush()
    within.set()
    go_on.wait()

workers.beat = slow_beat
shutdown = multiprocessing.Event()
thread = heartbeat.start(Settings(), worker_id="here:1", host="here", pid=1, shutdown=shutdown)
within.wait()
"""
FORKING = """
import os, sys, time
threading.Timer(0.5, go_on.set).start()
if os.fork() == 0:
    database.BUSY_SECONDS = 3
    database.SQLITE_PRAGMAS = ()
    other = database.Database(Settings().database, deliver=lambda outbox: None)
    with other.write() as session:
        workers.take_up(session, worker_id="here:1", job_id="job_1")
    os._exit(0)
sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
"""
LEAVING = """
go_on.set()
shutdown.set()
thread.join()
"""


def run(script: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_pool_process_forked_during_a_beat_can_write(db, settings):
    ended = run(BEATING + FORKING)
    assert ended.returncode == 0, ended.stderr
    with db.read() as session:
        assert session.get(tables.Worker, "here:1").job_id == "job_1"


def test_the_row_goes_with_the_worker(db, settings):
    ended = run(BEATING + LEAVING)
    assert ended.returncode == 0, ended.stderr
    with db.read() as session:
        assert session.get(tables.Worker, "here:1") is None
