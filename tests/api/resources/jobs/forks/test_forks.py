"""Forks: a new job from a checkpoint of another, with changes to the spec."""

import pytest

from tests.api.conftest import make_key, post
from tests.api.resources.jobs.forks.conftest import folders, fork, forked, weights

ZEROS = "0" * 26


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
        ({"dataset": {"name": "digits"}, "evaluation": {"metrics": []}}, "/spec/dataset", "not of the shape"),
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
