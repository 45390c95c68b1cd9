"""A job whose stored spec today's rules would refuse, as after a release that tightens one, stays usable."""

import pytest

from store import tables
from tests.api.conftest import Runner, post


@pytest.fixture
def refused(client, services, runner: Runner) -> str:
    """A paused job with a checkpoint, more images a batch than its dataset has and a rate beyond its bound."""
    job_id: str = post(client, dataset={"name": "digits"}, budget={"images": 10**6})["id"]
    runner.start(job_id)
    runner.save(job_id, 5000)
    assert client.post(f"/v1/jobs/{job_id}/pause").status_code == 200
    runner.stop(job_id)
    with services.database.write() as session:
        row = session.get_one(tables.Job, job_id)
        optimizer = row.spec["generator_optimizer"] | {"lr": 5.0}
        row.spec = row.spec | {"batch_size": 4000, "accumulation_steps": 7, "generator_optimizer": optimizer}
    return job_id


def test_it_is_listed_and_shown_as_it_was_stored(client, refused):
    (listed,) = client.get("/v1/jobs").json()["data"]
    shown = client.get(f"/v1/jobs/{refused}").json()
    assert listed["spec"] == shown["spec"]
    assert (shown["spec"]["batch_size"], shown["spec"]["generator_optimizer"]["lr"]) == (4000, 5.0)


def test_it_is_sampled_and_resumed(client, refused):
    assert client.get(f"/v1/jobs/{refused}/samples.png").status_code == 200
    resumed = client.post(f"/v1/jobs/{refused}/resume")
    assert (resumed.status_code, resumed.json()["status"]) == (200, "queued")


def test_it_is_forked_with_what_it_has_and_the_changes_are_checked(client, refused):
    fork = client.post(f"/v1/jobs/{refused}/fork", json={"spec": {"name": "child", "seed": 7}})
    assert fork.status_code == 202
    spec = fork.json()["spec"]
    assert (spec["seed"], spec["batch_size"], spec["accumulation_steps"]) == (7, 4000, 7)
    answer = client.post(f"/v1/jobs/{refused}/fork", json={"spec": {"generator_optimizer": {"lr": 6.0}}})
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/spec/generator_optimizer/lr"]


def test_its_speed_serves_the_estimates_of_others(client, services, refused):
    with services.database.write() as session:
        session.get_one(tables.Job, refused).images_per_second = 100.0
    estimate = client.post("/v1/jobs?dry_run=true", json={}).json()
    assert estimate["estimated_seconds"] > 0
