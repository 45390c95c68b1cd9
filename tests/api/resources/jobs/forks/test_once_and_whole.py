"""A fork that is sent twice, or cut off half way, is one job with its files or none."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy.exc import OperationalError
from starlette.testclient import TestClient

from api.app import create_app
from store import jobs
from tests.api.resources.jobs.forks.conftest import folders, fork, weights


def test_the_same_key_makes_one_job_and_one_folder(client, runner, services, parent):
    runner.save(parent["id"], 5_000)
    key = {"Idempotency-Key": "k-1"}
    first, again = (fork(client, parent, {"spec": {"seed": 1}}, **key) for _ in range(2))
    other = fork(client, parent, {"spec": {"seed": 2}}, **key)
    assert (first.status_code, again.status_code, other.status_code) == (202, 202, 422)
    assert first.content == again.content
    assert first.headers["location"] == again.headers["location"]
    assert folders(services) == {parent["id"], first.json()["id"]}
    with services.database.read() as session:
        assert sum(jobs.counts(session).values()) == 2


def test_the_same_key_sent_at_once_makes_one_job_and_one_folder(client, runner, services, parent):
    runner.save(parent["id"], 5_000)
    key = {"Idempotency-Key": "k-1"}
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: fork(client, parent, {}, **key), range(4)))
    assert [answer.status_code for answer in answers] == [202] * 4
    assert len({answer.content for answer in answers}) == 1
    assert folders(services) == {parent["id"], answers[0].json()["id"]}


def test_the_same_key_finds_its_answer_after_the_parent_has_gone_on_or_away(client, runner, services, parent):
    runner.save(parent["id"], 5_000)
    key = {"Idempotency-Key": "k-1"}
    body = {"spec": {"budget": {"images": 6_000}}}
    first = fork(client, parent, body, **key)
    runner.save(parent["id"], 7_000)
    assert fork(client, parent, body).status_code == 422
    assert fork(client, parent, body, **key).content == first.content
    runner.end(parent["id"])
    client.delete(f"/v1/jobs/{parent['id']}")
    assert fork(client, parent, body).status_code == 404
    assert fork(client, parent, body, **key).content == first.content


def test_a_refused_fork_does_not_use_up_its_key(client, runner, parent):
    key = {"Idempotency-Key": "k-1"}
    assert fork(client, parent, {}, **key).status_code == 409
    runner.save(parent["id"], 5_000)
    assert fork(client, parent, {}, **key).status_code == 202


def test_a_checkpoint_that_is_removed_meanwhile_leaves_no_half_fork(client, runner, services, parent):
    source = runner.save(parent["id"], 5_000)
    services.artifacts.delete(f"jobs/{parent['id']}/checkpoints/5000")
    answer = fork(client, parent, {})
    assert answer.status_code == 409
    assert f"checkpoint {source} has just been removed" in answer.json()["detail"]
    assert folders(services) == {parent["id"]}
    assert len(client.get("/v1/jobs").json()["data"]) == 1


def test_a_full_disk_leaves_no_half_fork(client, runner, services, parent):
    runner.save(parent["id"], 5_000)
    full = dataclasses.replace(services, settings=services.settings.model_copy(update={"min_free_bytes": 2**62}))
    with TestClient(create_app(full), raise_server_exceptions=False) as full_client:
        answer = fork(full_client, parent, {}, Authorization=client.headers["Authorization"])
    assert answer.status_code == 507
    assert folders(services) == {parent["id"]}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_fork_whose_commit_was_not_heard_of_keeps_its_files(client, runner, services, parent):
    runner.save(parent["id"], 5_000)

    def cut(outbox: object) -> None:
        services.database._deliver = deliver
        raise OperationalError("commit", {}, Exception("the connection was cut"))

    deliver = services.database._deliver
    key = {"Idempotency-Key": "k-1"}
    services.database._deliver = cut
    assert fork(client, parent, {}, **key).status_code == 503
    child = fork(client, parent, {}, **key).json()
    assert folders(services) == {parent["id"], child["id"]}
    assert weights(client, child["id"], child["latest_checkpoint"]).content == b"weights"
