"""Metrics and events of a job."""

import dataclasses
import threading

import pytest

from store.database import Database
from tests.api.conftest import Runner, post


@pytest.fixture
def job_id(client, runner):
    job_id = post(client)["id"]
    runner.start(job_id)
    for number in range(1, 11):
        runner.tick(job_id, 100 * number, loss_g=float(number), loss_d=float(-number))
    return job_id


def test_the_series_comes_by_column(client, job_id):
    got = client.get(f"/v1/jobs/{job_id}/metrics").json()
    assert got["images_seen"] == [100 * number for number in range(1, 11)]
    assert got["series"]["loss_d"] == [float(-number) for number in range(1, 11)]


def test_the_series_can_be_narrowed_and_thinned(client, job_id):
    got = client.get(f"/v1/jobs/{job_id}/metrics?names=loss_g,absent&after_images=200&points=3").json()
    assert got["images_seen"][0] == 300
    assert got["images_seen"][-1] == 1000
    assert len(got["images_seen"]) == 3
    assert set(got["series"]) == {"loss_g", "absent"}
    assert got["series"]["absent"] == [None] * 3


def test_the_series_comes_as_csv_when_asked(client, job_id):
    answer = client.get(f"/v1/jobs/{job_id}/metrics?after_images=800", headers={"Accept": "text/csv"})
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.text == "images_seen,loss_d,loss_g\n900,-9.0,9.0\n1000,-10.0,10.0\n"


def test_events_come_as_a_list_oldest_first(client, job_id):
    first = client.get(f"/v1/jobs/{job_id}/events?limit=5", headers={"Accept": "application/json"}).json()
    assert [event["id"] for event in first["data"]] == [1, 2, 3, 4, 5]
    assert [event["type"] for event in first["data"]] == ["state", "state", "metrics", "metrics", "metrics"]
    rest = client.get(f"/v1/jobs/{job_id}/events?after={first['next']}", headers={"Accept": "application/json"}).json()
    assert [event["id"] for event in rest["data"]] == list(range(6, 13))
    assert not rest["has_more"]


def read_stream(client, job_id, **headers):
    """Return ids and types until the server ends the stream."""
    with client.stream("GET", f"/v1/jobs/{job_id}/events", headers=headers) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = [line for line in answer.iter_lines() if line]
    ids = [int(line.removeprefix("id: ")) for line in lines if line.startswith("id:")]
    return ids, [line.removeprefix("event: ") for line in lines if line.startswith("event:")]


def test_the_stream_replays_the_history_and_ends_with_the_job(client, runner, job_id):
    runner.end(job_id)
    ids, types = read_stream(client, job_id)
    assert ids == list(range(1, 14))
    assert types[-1] == "state"


def test_a_reconnect_goes_on_after_the_last_event(client, runner, job_id):
    runner.end(job_id)
    assert read_stream(client, job_id, **{"Last-Event-ID": "10"})[0] == [11, 12, 13]


def test_a_browser_that_reconnects_goes_on_where_it_was_not_where_it_began(client, runner, job_id):
    runner.end(job_id)
    with client.stream("GET", f"/v1/jobs/{job_id}/events?after=5", headers={"Last-Event-ID": "11"}) as answer:
        ids = [line for line in answer.iter_lines() if line.startswith("id:")]
    assert ids == ["id: 12", "id: 13"]


@pytest.mark.parametrize("claimed", ["-1", "abc", "9" * 400, "1e5", "0x10"])
def test_an_absurd_last_event_id_replays_within_bounds(client, runner, job_id, claimed):
    runner.end(job_id)
    ids, _ = read_stream(client, job_id, **{"Last-Event-ID": claimed})
    assert ids == list(range(1, 14))


def test_the_stream_goes_on_live(client, runner, job_id):
    def train_on() -> None:
        for number in range(11, 31):
            runner.tick(job_id, 100 * number, loss_g=0.0)
        runner.end(job_id)

    later = threading.Timer(0.5, train_on)
    later.start()
    ids, types = read_stream(client, job_id)
    later.join()
    assert ids == list(range(1, 34))
    assert types.count("metrics") == 30


def test_events_that_redis_was_not_told_of_come_in_their_place(client, services, runner, job_id):
    """Redis is not told of an event when it, or the worker, dies after the commit."""
    silent = Database(services.settings.database, deliver=lambda outbox: None)
    mute = Runner(dataclasses.replace(services, database=silent))

    def train_on() -> None:
        for number in range(11, 31):
            (mute if number % 3 == 0 else runner).tick(job_id, 100 * number, loss_g=0.0)
        runner.end(job_id)

    later = threading.Timer(0.5, train_on)
    later.start()
    ids, _ = read_stream(client, job_id)
    later.join()
    silent.close()
    assert ids == list(range(1, 34))
