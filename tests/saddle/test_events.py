"""Following a job's events: decoding the stream, and going on after a cut."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saddle import events
from saddle.client import Client
from saddle.errors import ApiError, UnexpectedAnswer, Unreachable

FRAME = (
    'id: 1\nevent: log\ndata: {"id": 1, "type": "log", "at": "2026-11-23T12:00:00Z", "images_seen": 0, '
    '"data": {"message": "one\u2028line\u0085"}}\n\n'
)


def ids(followed: Iterator[Any]) -> list[int]:
    return [event.id for event in followed]


def test_ended_job_is_replayed_to_its_end(client: Client, saddle: Any, waits: list[float]) -> None:
    job_id = saddle.add_run()
    assert ids(client.follow_events(job_id)) == [1, 2, 3, 4, 5, 6, 7]
    assert waits == []


def test_cut_stream_goes_on_behind_the_last_whole_event(client: Client, saddle: Any, waits: list[float]) -> None:
    job_id = saddle.add_run()
    saddle.cut_after.extend([2, 0, 3])
    assert ids(client.follow_events(job_id)) == [1, 2, 3, 4, 5, 6, 7]
    assert [request.headers.get("Last-Event-ID") for request in saddle.requests] == [None, "2", "2", "5"]
    assert len(waits) == 3


def test_stream_closed_before_the_end_goes_on(client: Client, saddle: Any) -> None:
    job_id = saddle.add_run()
    saddle.close_after.extend([2, 3])
    assert ids(client.follow_events(job_id)) == [1, 2, 3, 4, 5, 6, 7]


def test_end_that_a_retry_undid_is_not_the_end(client: Client, saddle: Any) -> None:
    job_id = saddle.add_run("failed")
    saddle.add_event(job_id, "state", status="queued", previous="failed", reason=None, attempt=1)
    saddle.add_event(job_id, "state", status="succeeded", previous="running", reason=None, attempt=2)
    assert ids(client.follow_events(job_id)) == list(range(1, 10))


def test_nothing_follows_the_last_event_of_an_ended_job(client: Client, saddle: Any) -> None:
    job_id = saddle.add_run()
    assert ids(client.follow_events(job_id, after=7)) == []


def test_event_sent_twice_is_given_once(client: Client, saddle: Any) -> None:
    job_id = saddle.add_run()
    saddle.events[job_id].insert(3, saddle.events[job_id][1])
    assert ids(client.follow_events(job_id)) == [1, 2, 3, 4, 5, 6, 7]


def test_restarting_service_is_waited_for(client: Client, saddle: Any, waits: list[float]) -> None:
    job_id = saddle.add_run()
    saddle.cut_after.append(1)
    followed = client.follow_events(job_id)
    next(followed)
    for _ in range(3):
        saddle.answer_next(0)
    saddle.answer_next(503, b"{}", **{"Retry-After": "4"})
    assert ids(followed) == [2, 3, 4, 5, 6, 7]
    assert len(waits) == 5
    assert 2 <= waits[-1] <= 4
    assert all(wait <= events.LONGEST_WAIT_SECONDS for wait in waits)


def test_service_that_stays_away_ends_the_following(client: Client, saddle: Any, waits: list[float]) -> None:
    job_id = saddle.add_run()
    saddle.cut_after.append(1)
    for_ever = client.follow_events(job_id)
    next(for_ever)
    for _ in range(100):
        saddle.answer_next(0)
    with pytest.raises(Unreachable):
        list(for_ever)
    assert len(waits) == events.MAX_FAILURES - 1
    assert max(waits) <= events.LONGEST_WAIT_SECONDS
    assert waits[-1] > waits[0]


def test_heartbeats_keep_a_quiet_job_followed(waits: list[float]) -> None:
    connections = iter(range(50))

    @contextmanager
    def connect(last_id: int) -> Iterator[list[bytes]]:
        number = next(connections)
        yield [b": ping\n\n"] if number < 49 else [FRAME.replace("log", "state", 2).encode()]

    followed = events.follow(connect, after=0, has_ended=lambda: False, sleep=waits.append)
    assert next(followed).type == "state"
    assert len(waits) == 49


def test_first_connection_fails_at_once(client: Client, saddle: Any, waits: list[float]) -> None:
    job_id = saddle.add_run()
    saddle.answer_next(0)
    with pytest.raises(Unreachable):
        list(client.follow_events(job_id))
    assert waits == []


def test_job_deleted_meanwhile_ends_the_following(client: Client, saddle: Any) -> None:
    job_id = saddle.add_run()
    saddle.cut_after.append(1)
    followed = client.follow_events(job_id)
    next(followed)
    del saddle.jobs[job_id]
    with pytest.raises(ApiError, match="404"):
        list(followed)


@given(st.lists(st.integers(0, len(FRAME.encode()) * 2), max_size=12))
def test_decoding_does_not_depend_on_how_the_bytes_arrive(cuts: list[int]) -> None:
    content = (": ping\n\n" + FRAME + FRAME.replace("\n", "\r\n") + "id: 9\ndata: {cut").encode()
    places = [0, *sorted(cuts), len(content)]
    chunks = [content[start:end] for start, end in itertools.pairwise(places)]
    decoded = list(events.decode(chunks))
    assert [event.data["message"] for event in decoded] == ["one\u2028line\u0085"] * 2


def test_whole_frame_without_an_event_is_refused() -> None:
    with pytest.raises(UnexpectedAnswer, match="not an event: oops"):
        list(events.decode([b"data: oops\n\n"]))
