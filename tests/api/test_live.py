"""The reader of live events: entries that are no events, crashes, and outages of Redis."""

import asyncio
import json
import threading

import pytest
from redis import Redis
from starlette.testclient import TestClient

from api.app import create_app
from api.live import Hub
from api.resources import events
from store import live, workers
from store.queue import Queue
from tests.api.conftest import post

EVENT = {"job_id": "job_x", "id": 3, "type": "log", "at": 1.0, "images_seen": 0, "data": {}}
NO_EVENTS = [
    {"event": "notjson"},
    {"event": ""},
    {"event": b"\xff\xfe"},
    {"event": "null"},
    {"event": "[]"},
    {"event": '"text"'},
    {"event": "{}"},
    {"event": "[" * 5000},
    {"event": json.dumps(EVENT)[:-1]},
    {"event": json.dumps(EVENT | {"data": 0}).replace("0}", '{"a": ' * 900 + "{}" + "}" * 901)},
    {"other": "field"},
    *(
        {"event": json.dumps(EVENT | change)}
        for change in (
            {"job_id": None},
            {"job_id": ["job_x"]},
            {"id": "3"},
            {"id": 10**30},
            {"id": True},
            {"type": 1},
            {"at": "yesterday"},
            {"at": 1e300},
            {"at": 1e15},
            {"images_seen": 1.5},
            {"data": "text"},
            {"data": None},
        )
    ),
]


@pytest.fixture
def database_url(sqlite_url):
    """The reader does not ask the database."""
    return sqlite_url


def publish(redis_url, *entries):
    with Redis.from_url(redis_url) as redis:
        for entry in entries:
            redis.xadd(live.STREAM, entry)


def run(hub, act):
    """Run a test with the hub's reader, in the loop that they need."""

    async def main():
        hub.start()
        try:
            async with asyncio.timeout(20):
                await act()
        finally:
            await hub.close()

    asyncio.run(main())


async def until(condition):
    while not condition():
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("entry", NO_EVENTS, ids=lambda entry: str(entry)[:60])
def test_an_entry_that_is_no_event_is_skipped_and_logged(redis_url, capfd, entry):
    hub = Hub(redis_url, encode=events.frame)

    async def act():
        with hub.watch("job_x") as viewer:
            await until(lambda: not viewer.empty())  # where the reader begins is known
            publish(redis_url, entry, {"event": json.dumps(EVENT | {"id": 4})})
            assert await viewer.get() is None
            frame = await viewer.get()
            assert frame is not None
            assert (frame.id, hub.trouble) == (4, None)

    run(hub, act)
    printed = capfd.readouterr().out
    assert printed.count("an entry of the stream is no event") == 1
    assert "crashed" not in printed


def test_a_field_of_a_later_release_does_no_harm(redis_url):
    hub = Hub(redis_url, encode=events.frame)

    async def act():
        with hub.watch("job_x") as viewer:
            await until(lambda: not viewer.empty())
            publish(redis_url, {"event": json.dumps(EVENT | {"colour": "red"}), "more": "fields"})
            assert await viewer.get() is None
            frame = await viewer.get()
            assert frame is not None
            assert frame.id == 3

    run(hub, act)


def test_a_reader_that_crashes_is_logged_and_started_again(redis_url, capfd):
    def encode(event):
        if event.id == 3:
            raise RuntimeError("the reader's own fault")
        return events.frame(event)

    hub = Hub(redis_url, encode=encode)

    async def act():
        with hub.watch("job_x") as viewer:
            await until(lambda: not viewer.empty())
            publish(redis_url, {"event": json.dumps(EVENT)})
            await until(lambda: hub.trouble is not None)
            assert hub.trouble == "crashed: RuntimeError"
            await until(lambda: hub.trouble is None)
            publish(redis_url, {"event": json.dumps(EVENT | {"id": 4})})
            missed = [await viewer.get() for _ in range(3)]  # at the start, and around the crash
            assert missed == [None] * 3
            frame = await viewer.get()
            assert frame is not None
            assert frame.id == 4

    run(hub, act)
    printed = capfd.readouterr().out
    assert printed.count("the reader of live events crashed") == 1
    assert "the reader's own fault" in printed


def test_an_event_between_two_reads_is_not_missed(redis_url, monkeypatch):
    """The reader must know its place after a read that found nothing too."""
    monkeypatch.setattr("api.live.BLOCK_MILLISECONDS", 1)
    hub = Hub(redis_url, encode=events.frame)

    async def act():
        with hub.watch("job_x") as viewer:
            await until(lambda: not viewer.empty())
            assert await viewer.get() is None
            for number in range(1, 101):
                publish(redis_url, {"event": json.dumps(EVENT | {"id": number})})
                frame = await viewer.get()
                assert frame is not None
                assert frame.id == number

    run(hub, act)


def test_a_reader_that_was_stopped_says_so(redis_url):
    hub = Hub(redis_url, encode=events.frame)
    assert hub.trouble == "not running"

    async def act():
        assert hub.trouble is None
        assert hub._reader is not None
        hub._reader.cancel()
        await until(hub._reader.done)
        assert hub.trouble == "not running"

    run(hub, act)


def test_readiness_tells_while_the_reader_is_down(client, services, redis_url, monkeypatch, wait_for):
    with services.database.write() as session:
        workers.beat(session, worker_id="w", host="h", pid=1, device="cpu")
    wait_for(lambda: client.get("/readyz").json() == {"ready": True} | dict.fromkeys(PARTS, "ok"))

    def fall(_: object) -> None:
        raise RuntimeError("the reader's own fault")

    with monkeypatch.context() as patch:
        patch.setattr(live, "decode", fall)
        publish(redis_url, {"event": "{}"})
        wait_for(lambda: client.get("/readyz").status_code == 503)
        assert client.get("/readyz").json()["live"] == "crashed: RuntimeError"
    wait_for(lambda: client.get("/readyz").status_code == 200)
    assert client.get("/healthz").status_code == 200


PARTS = ("database", "redis", "workers", "live")


def test_readiness_tells_while_redis_is_away(services, own_redis, settings, wait_for):
    away = type(services)(
        settings=settings.model_copy(update={"redis_url": own_redis.url}),
        database=services.database,
        queue=Queue(own_redis.url),
        artifacts=services.artifacts,
        sampler=services.sampler,
    )
    with TestClient(create_app(away)) as client:
        wait_for(lambda: client.get("/readyz").json()["live"] == "ok")
        own_redis.stop()
        wait_for(lambda: client.get("/readyz").json()["live"].startswith("away: "))
        own_redis.start()
        wait_for(lambda: client.get("/readyz").json()["live"] == "ok")
    away.queue.close()


def test_a_stream_goes_on_live_after_an_entry_that_is_no_event(client, runner, redis_url, monkeypatch):
    monkeypatch.setattr(events, "LOOK_SECONDS", 1000.0)  # not by looking into the database
    job_id = post(client)["id"]
    runner.start(job_id)

    def train_on() -> None:
        publish(redis_url, *NO_EVENTS)
        for number in range(1, 11):
            runner.tick(job_id, 100 * number, loss_g=0.0)
        runner.end(job_id)

    later = threading.Timer(0.5, train_on)
    later.start()
    with client.stream("GET", f"/v1/jobs/{job_id}/events") as answer:
        ids = [line for line in answer.iter_lines() if line.startswith("id:")]
    later.join()
    assert ids == [f"id: {number}" for number in range(1, 14)]
