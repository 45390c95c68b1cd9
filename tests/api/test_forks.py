"""Forks: a new job from a checkpoint of another, with changes to the spec."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy.exc import OperationalError
from starlette.testclient import TestClient

from api.app import create_app
from store import jobs
from tests.api.conftest import make_key, post

ZEROS = "0" * 26


@pytest.fixture
def parent(client, runner):
    """A running job; its checkpoints are the tests'."""
    job = post(client, name="shoes", budget={"images": 10_000}, metadata={"team": "vision"})
    runner.start(job["id"])
    return client.get(f"/v1/jobs/{job['id']}").json()


def fork(client, parent, body, **headers):
    return client.post(f"/v1/jobs/{parent['id']}/fork", json=body, headers=headers)


def forked(client, parent, **body):
    answer = fork(client, parent, body)
    assert answer.status_code == 202, answer.text
    return answer.json()


def folders(services):
    """The jobs that have files, but for what is hidden while it comes or goes."""
    return {path.name for path in services.artifacts.path("jobs").iterdir()}


def weights(client, job_id, checkpoint):
    return client.get(f"/v1/jobs/{job_id}/checkpoints/{checkpoint}/generator.safetensors")


def test_a_fork_is_a_queued_job_with_its_parents_spec_and_the_changes(client, runner, services, parent):
    source = runner.save(parent["id"], 5_000)
    hints = services.queue.depth()
    changes = {"name": "gentler", "seed": 7, "generator_optimizer": {"lr": 0.0005}, "budget": {"images": 20_000}}
    answer = fork(client, parent, {"spec": changes})
    child = answer.json()
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/v1/jobs/{child['id']}"
    assert client.get(answer.headers["location"]).json() == child
    expected = parent["spec"] | {"name": "gentler", "seed": 7, "budget": {"images": 20_000, "seconds": None}}
    expected["generator_optimizer"] = parent["spec"]["generator_optimizer"] | {"lr": 0.0005}
    assert child["spec"] == expected
    assert (child["status"], child["name"], child["metadata"]) == ("queued", "gentler", {"team": "vision"})
    assert child["forked_from"] == {"job": parent["id"], "checkpoint": source}
    assert parent["forked_from"] is None
    assert (child["attempt"], child["progress"]["images_seen"], child["progress"]["fraction"]) == (0, 5_000, 0.25)
    assert services.queue.depth() == hints + 1


def test_a_fork_without_changes_has_its_parents_spec(client, runner, parent):
    runner.save(parent["id"], 5_000)
    assert forked(client, parent)["spec"] == parent["spec"]


def test_a_fork_begins_with_a_checkpoint_of_its_own(client, runner, parent):
    source = runner.save(parent["id"], 5_000, fid=9.0)
    child = forked(client, parent)
    (copy,) = client.get(f"/v1/jobs/{child['id']}/checkpoints").json()["data"]
    assert copy["id"] == child["latest_checkpoint"] == child["best_checkpoint"] != source
    assert (copy["images_seen"], copy["attempt"], copy["quality"]) == (5_000, 0, {"fid": 9.0})
    assert child["quality"] == {"fid": 9.0, "images_seen": 5_000}
    samples = client.get(f"/v1/jobs/{child['id']}/samples.png")
    assert samples.headers["saddle-checkpoint"] == copy["id"]


def test_a_parents_deletion_leaves_the_fork_its_checkpoint(client, runner, services, parent):
    runner.save(parent["id"], 5_000)
    child = forked(client, parent)
    runner.end(parent["id"])
    assert client.delete(f"/v1/jobs/{parent['id']}").status_code == 204
    assert folders(services) == {child["id"]}
    assert weights(client, child["id"], child["latest_checkpoint"]).content == b"weights"
    assert client.get(f"/v1/jobs/{child['id']}").json()["forked_from"]["job"] == parent["id"]


def test_a_forks_deletion_leaves_the_parent_its_checkpoint(client, runner, services, parent):
    source = runner.save(parent["id"], 5_000)
    child = forked(client, parent)
    client.post(f"/v1/jobs/{child['id']}/cancel")
    assert client.delete(f"/v1/jobs/{child['id']}").status_code == 204
    assert folders(services) == {parent["id"]}
    assert weights(client, parent["id"], source).content == b"weights"


def test_latest_best_and_ids_choose_the_checkpoint(client, runner, parent):
    first, best, latest = (
        runner.save(parent["id"], images, fid=fid) for images, fid in ((1_000, 9.0), (2_000, 5.0), (3_000, 7.0))
    )
    for which, expected in (("latest", latest), ("best", best), (first, first)):
        assert forked(client, parent, checkpoint=which)["forked_from"]["checkpoint"] == expected
    assert forked(client, parent)["forked_from"]["checkpoint"] == latest


def test_before_the_first_checkpoint_there_is_nothing_to_fork(client, runner, parent, services):
    answer = fork(client, parent, {})
    assert answer.status_code == 409
    assert answer.json()["detail"] == f"job {parent['id']} has no latest checkpoint yet"
    runner.save(parent["id"], 5_000)
    answer = fork(client, parent, {"checkpoint": "best"})
    assert answer.status_code == 409
    assert "no best checkpoint" in answer.json()["detail"]


def test_only_a_checkpoint_of_this_very_job_can_be_forked(client, runner, services, parent):
    other = post(client)["id"]
    runner.start(other)
    theirs = runner.save(other, 100)
    for checkpoint in (theirs, f"ckpt_{ZEROS}"):
        assert fork(client, parent, {"checkpoint": checkpoint}).status_code == 404
    foreign = {"Authorization": f"Bearer {make_key(services, tenant='others')}"}
    own = runner.save(parent["id"], 100)
    assert fork(client, parent, {"checkpoint": own}, **foreign).status_code == 404
    mine = client.post("/v1/jobs", json={}, headers=foreign).json()
    answer = client.post(f"/v1/jobs/{mine['id']}/fork", json={"checkpoint": own}, headers=foreign)
    assert answer.status_code == 404
    assert folders(services) == {parent["id"], other}


def test_an_ended_job_can_be_forked(client, runner, parent):
    runner.save(parent["id"], 10_000)
    runner.end(parent["id"])
    answer = fork(client, parent, {})
    assert answer.status_code == 422
    assert forked(client, parent, spec={"budget": {"images": 20_000}})["status"] == "queued"


@pytest.mark.parametrize(
    ("changes", "pointer", "says"),
    [
        ({"budget": {"images": 5_000}}, "/spec/budget", "the checkpoint has seen 5000 already"),
        ({"architecture": {"latent_dim": 7}}, "/spec/architecture", "a fork keeps its parent's networks"),
        ({"architecture": {"kind": "dcgan"}}, "/spec/architecture", "a fork keeps its parent's networks"),
        ({"labels": True}, "/spec/labels", "a fork keeps its parent's networks"),
        ({"dataset": {"name": "stacked-fashion"}, "evaluation": {"metrics": []}}, "/spec/dataset", "not of the shape"),
        ({"dataset": {"name": "digits"}}, "/spec/dataset", "8"),
        ({"preset": "fast"}, "/spec/preset", "a preset fills in a new job's spec"),
        ({"preset": None}, "/spec/preset", "a preset fills in a new job's spec"),
        ({"colour": "red"}, "/spec/colour", "unknown"),
        ({"generator_optimizer": {"lr": -1}}, "/spec/generator_optimizer/lr", "greater than 0"),
        ({"generator_optimizer": {"kind": "sgd", "betas": [0, 0]}}, "/spec/generator_optimizer/betas", "unknown"),
        ({"penalties": [{"kind": "r1", "weight": -1}]}, "/spec/penalties/0/weight", "greater than 0"),
        ({"batch_size": 60_001}, "/spec", "60000"),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_changes_that_cannot_work_are_refused_by_field(client, runner, services, parent, changes, pointer, says):
    runner.save(parent["id"], 5_000)
    answer = fork(client, parent, {"spec": changes})
    assert answer.status_code == 422, answer.text
    errors = {error["pointer"]: error["detail"] for error in answer.json()["errors"]}
    assert says in errors[pointer], errors
    assert folders(services) == {parent["id"]}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"checkpoint": "newest"}, "/checkpoint"),
        ({"checkpoint": "../x"}, "/checkpoint"),
        ({"checkpoint": None}, "/checkpoint"),
        ({"spec": []}, "/spec"),
        ({"seed": 1}, "/seed"),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_wish_that_is_none_is_refused_by_field(client, parent, body, pointer):
    answer = fork(client, parent, body)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


@pytest.mark.parametrize(
    ("content", "status"),
    [
        ('{"spec": {"name": "\\ud800"}}', 422),
        ('{"spec": {"generator_optimizer": {"lr": NaN}}}', 422),
        ('{"spec": {"metadata": ' + '{"a": ' * 100 + "1" + "}" * 102, 400),
        ('{"spec": {', 400),
        ("[]", 422),
        ("", 400),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_broken_bodies_get_a_clear_answer(client, runner, parent, content, status):
    runner.save(parent["id"], 5_000)
    headers = {"Content-Type": "application/json"}
    answer = client.post(f"/v1/jobs/{parent['id']}/fork", content=content, headers=headers)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


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


def test_figures_are_taken_along_where_they_can_be_compared(client, runner):
    job = post(client, dataset={"name": "ring"}, budget={"images": 10_000})
    runner.start(job["id"])
    runner.save(job["id"], 5_000, fid=9.0)
    assert forked(client, job, spec={"seed": 1})["quality"] == {"fid": 9.0, "images_seen": 5_000}
    for changes in ({"dataset": {"name": "grid"}}, {"evaluation": {"samples": 1_000}}):
        child = forked(client, job, spec=changes)
        assert (child["quality"], child["best_checkpoint"]) == (None, None)


def test_a_fork_is_run_and_forked_like_any_job(client, runner, parent):
    runner.save(parent["id"], 5_000)
    child = forked(client, parent)
    runner.start(child["id"])
    own = runner.save(child["id"], 6_000)
    grandchild = forked(client, child)
    assert grandchild["forked_from"] == {"job": child["id"], "checkpoint": own}
    assert grandchild["progress"]["images_seen"] == 6_000
