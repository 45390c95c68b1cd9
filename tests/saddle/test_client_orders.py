"""The client's changes to jobs: how often each request is sent, and under which key."""

from typing import Any

import pytest

from saddle.client import Client
from saddle.errors import ApiError, Unreachable


def test_created_job_keeps_what_a_newer_server_adds(client: Client) -> None:
    job = client.create_job({"preset": "robust"})
    assert job.status == "queued"
    assert job.model_dump()["a_field_of_tomorrow"] is True


def test_every_creation_carries_a_key_of_its_own(client: Client, saddle: Any) -> None:
    first, second = client.create_job({}), client.create_job({})
    assert first.id != second.id
    keys = [request.headers["Idempotency-Key"] for request in saddle.requests]
    assert len(set(keys)) == 2
    assert all(keys)


def test_creation_cut_before_its_answer_is_repeated_under_the_same_key(client: Client, saddle: Any) -> None:
    saddle.answer_next(0)
    job = client.create_job({"seed": 1})
    assert list(saddle.jobs) == [job.id]
    assert len({request.headers["Idempotency-Key"] for request in saddle.requests}) == 1
    assert len(saddle.requests) == 2


def test_given_idempotency_key_finds_the_first_job_again(client: Client) -> None:
    first = client.create_job({"seed": 1}, idempotency_key="mine")
    assert client.create_job({"seed": 1}, idempotency_key="mine").id == first.id
    with pytest.raises(ApiError, match="another body"):
        client.create_job({"seed": 2}, idempotency_key="mine")


def test_creation_still_in_flight_is_waited_for(client: Client, saddle: Any, waits: list[float]) -> None:
    saddle.answer_next(409, b"{}", **{"Retry-After": "1"})
    assert client.create_job({}).status == "queued"
    assert waits == [1.0]


def test_overloaded_service_is_asked_again_when_it_says(client: Client, saddle: Any, waits: list[float]) -> None:
    job_id = saddle.add_job()
    saddle.answer_next(503, b"{}", **{"Retry-After": "2"})
    saddle.answer_next(429, b"{}")
    assert client.job(job_id).id == job_id
    assert waits == [2.0, 1.0]


def test_lasting_outage_is_told_after_bounded_tries(client: Client, saddle: Any, waits: list[float]) -> None:
    for _ in range(10):
        saddle.answer_next(503, b'{"title": "Service Unavailable", "detail": "the database is away"}')
    with pytest.raises(ApiError, match="503 Service Unavailable: the database is away"):
        client.job("job_1")
    assert waits == [0.5, 1.0, 2.0]
    assert len(saddle.requests) == 4


def test_cancel_is_sent_once(client: Client, saddle: Any) -> None:
    job_id = saddle.add_job()
    saddle.answer_next(0)
    with pytest.raises(Unreachable, match="did not answer"):
        client.cancel_job(job_id)
    assert len(saddle.requests) == 1


@pytest.mark.parametrize(
    ("verb", "before", "after"),
    [("pause", "running", "pausing"), ("resume", "paused", "queued"), ("retry", "diverged", "queued")],
)
def test_an_order_is_sent_once_and_answers_with_the_job(
    client: Client, saddle: Any, verb: str, before: str, after: str
) -> None:
    job_id = saddle.add_job(before)
    give = getattr(client, f"{verb}_job")
    assert give(job_id).status == after
    with pytest.raises(ApiError, match=f"409 Conflict: {job_id} is {after}"):
        give(job_id)
    saddle.answer_next(0)
    with pytest.raises(Unreachable, match="did not answer"):
        give(job_id)
    assert [request.path for request in saddle.requests] == [f"/v1/jobs/{job_id}/{verb}"] * 3


def test_fork_sends_the_changes_and_tells_where_it_comes_from(client: Client, saddle: Any) -> None:
    parent = saddle.add_job("succeeded")
    fork = client.fork_job(parent, {"seed": 1}, checkpoint="best")
    assert fork.id != parent
    assert fork.forked_from is not None
    assert (fork.forked_from.job, fork.forked_from.checkpoint) == (parent, "ckpt_1")
    assert saddle.requests[-1].path == f"/v1/jobs/{parent}/fork"
    assert saddle.requests[-1].body == {"checkpoint": "best", "spec": {"seed": 1}}


def test_fork_cut_before_its_answer_is_repeated_under_the_same_key(client: Client, saddle: Any) -> None:
    parent = saddle.add_job("succeeded")
    saddle.answer_next(0)
    saddle.answer_next(409, b"{}", **{"Retry-After": "1"})
    fork = client.fork_job(parent, {})
    assert list(saddle.jobs) == [parent, fork.id]
    assert len({request.headers["Idempotency-Key"] for request in saddle.requests}) == 1
    assert client.fork_job(parent, {}).id != fork.id


def test_given_idempotency_key_finds_the_first_fork_again(client: Client, saddle: Any) -> None:
    parent = saddle.add_job("succeeded")
    first = client.fork_job(parent, {}, idempotency_key="mine")
    assert client.fork_job(parent, {}, idempotency_key="mine").id == first.id
    with pytest.raises(ApiError, match="another body"):
        client.fork_job(parent, {}, checkpoint="best", idempotency_key="mine")


def test_fork_without_a_checkpoint_is_refused_at_once(client: Client, saddle: Any, waits: list[float]) -> None:
    saddle.answer_next(409, b'{"title": "Conflict", "detail": "job job_0000 has no latest checkpoint yet"}')
    with pytest.raises(ApiError, match="no latest checkpoint"):
        client.fork_job(saddle.add_job(), {})
    assert waits == []


def test_dry_run_creates_nothing(client: Client, saddle: Any) -> None:
    estimate = client.dry_run({"seed": 3})
    assert estimate.spec == {"seed": 3}
    assert estimate.warnings == ("slow",)
    assert estimate.model_dump()["parameters"] == {"generator": 7}
    assert not saddle.jobs


def test_deleted_job_is_gone(client: Client, saddle: Any) -> None:
    job_id = saddle.add_job("failed")
    client.delete_job(job_id)
    with pytest.raises(ApiError, match=f"404 Not Found: no job {job_id}"):
        client.job(job_id)
