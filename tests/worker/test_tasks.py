"""Hints are taken under this release's name, and under the old one that may wait in a broker during an upgrade."""

import pytest

from tests.worker.conftest import TINY
from worker import tasks
from worker.supervisor import Supervisor


@pytest.mark.parametrize("name", ["saddle.run", "saddle.train"])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_hint_starts_an_attempt(settings, submit, monkeypatch, name):
    taken = []
    monkeypatch.setattr(Supervisor, "run", lambda supervisor, job_id: taken.append((supervisor.settings, job_id)))
    job_id = submit(TINY)
    tasks.run.app.tasks[name](job_id)
    assert taken == [(settings, job_id)]
