import os
import signal
import sqlite3
import subprocess
import sys
import threading

import pytest

from store import addresses
from worker import stuck_writers

WRITER = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE" if sys.argv[2] == "write" else "BEGIN")
connection.execute("SELECT * FROM notes").fetchall()
print("begun", flush=True)
time.sleep(600)
"""


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "100%41?#" / "some.db"
    path.parent.mkdir()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE notes (note TEXT)")
    connection.close()
    return path


@pytest.fixture
def begin(path):
    """Start a process that stays within a transaction."""
    started = []

    def start(kind: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen([sys.executable, "-c", WRITER, path, kind], stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        return process

    yield start
    for process in started:
        with process:
            process.kill()


def freeze(process: "subprocess.Popen[str]") -> None:
    os.kill(process.pid, signal.SIGSTOP)
    os.waitpid(process.pid, os.WUNTRACED)


def test_a_stuck_writer_is_found(path, begin):
    index = path.with_name("some.db-shm")
    assert stuck_writers.find(index) == 0
    writer, reader = begin("write"), begin("read")
    freeze(reader)
    assert stuck_writers.find(index) == 0
    freeze(writer)
    assert stuck_writers.find(index) == writer.pid


def test_a_stuck_writer_is_ended_and_others_write(path, begin, monkeypatch):
    monkeypatch.setattr(stuck_writers, "PATIENCE_SECONDS", 1.0)
    writer, reader = begin("write"), begin("read")
    freeze(reader)
    freeze(writer)
    stop = threading.Event()
    watch = threading.Thread(target=stuck_writers.watch, args=(addresses.sqlite(str(path)),), kwargs={"stop": stop})
    watch.start()
    try:
        assert writer.wait(timeout=10) == -signal.SIGKILL
        with sqlite3.connect(path) as connection:
            connection.execute("INSERT INTO notes VALUES ('written')")
        connection.close()
        assert reader.poll() is None
    finally:
        stop.set()
        watch.join()


def test_other_databases_are_not_watched():
    stuck_writers.watch("postgresql+psycopg://localhost/saddle", stop=threading.Event())  # returns
