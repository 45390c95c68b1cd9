"""/v1/comparisons: what differs between jobs, and which figures differ beyond their noise."""

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from store import ids
from tests.api.conftest import make_key, post
from tests.api.measuring import PROTOCOL, measure


@pytest.fixture
def trained(client, runner):
    """Return a function that makes a job with a checkpoint."""

    def make(**wishes):
        job_id = post(client, **({"dataset": {"name": "digits"}} | wishes))["id"]
        runner.start(job_id)
        runner.save(job_id, 100)
        return job_id

    return make


@pytest.fixture
def evaluated(client, services):
    """Return a function that evaluates a job."""

    def evaluate(job_id, value, *, reach=0.005, **changes):
        made = client.post("/v1/evaluations", json={"job": job_id}).json()["id"]
        measure(
            services,
            made,
            value=value,
            low=value - reach,
            high=value + reach,
            protocol=PROTOCOL.model_copy(update=changes),
        )
        return made

    return evaluate


def compare(client, *jobs):
    answer = client.get("/v1/comparisons", params={"jobs": ",".join(jobs)})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_jobs_are_compared_by_settings_and_figures(client, trained, evaluated):
    jobs = [trained(name="a", seed=1), trained(name="b", seed=2), trained(seed=1, loss={"kind": "hinge"})]
    made = [evaluated(job_id, value) for job_id, value in zip(jobs, (0.02, 0.05, 0.022), strict=True)]
    found = compare(client, *jobs)
    assert [(row["id"], row["name"], row["evaluation"]) for row in found["jobs"]] == [
        (job_id, name, one) for job_id, name, one in zip(jobs, ("a", "b", None), made, strict=True)
    ]
    assert found["settings"] == {
        "loss.kind": ["relativistic_paired", "relativistic_paired", "hinge"],
        "seed": [1, 2, 1],
    }
    assert found["protocol"] == PROTOCOL.model_dump(mode="json")
    (figure,) = found["figures"]
    assert (figure["name"], figure["title"], figure["best"]) == ("kid", "KID", 0)
    assert figure["beyond_noise"] == [False, True, False]


def test_figures_of_different_protocols_are_never_set_side_by_side(client, trained, evaluated):
    jobs = [trained(), trained()]
    evaluated(jobs[0], 0.02)
    evaluated(jobs[1], 0.05, extractor_digest="0" * 64)
    found = compare(client, *jobs)
    assert (found["protocol"], found["figures"]) == (None, [])
    assert [row["evaluation"] for row in found["jobs"]] == [None, None]
    newest = evaluated(jobs[1], 0.03, seed=4)
    assert [row["evaluation"] for row in compare(client, *jobs)["jobs"]][1] == newest


def test_without_intervals_nobody_knows_what_is_noise(client, services, trained, evaluated):
    jobs = [trained(), trained()]
    for job_id, value in zip(jobs, (0.02, 0.05), strict=True):
        measure(services, client.post("/v1/evaluations", json={"job": job_id}).json()["id"], value=value)
    (figure,) = compare(client, *jobs)["figures"]
    assert (figure["best"], figure["beyond_noise"]) == (0, [False, None])


def test_a_job_without_figures_has_an_empty_column(client, trained, evaluated):
    jobs = [trained(), trained(), trained()]
    for job_id in jobs[:2]:
        evaluated(job_id, 0.02)
    found = compare(client, *jobs)
    assert [row["evaluation"] is None for row in found["jobs"]] == [False, False, True]
    (figure,) = found["figures"]
    assert (figure["values"][2], figure["beyond_noise"][2]) == (None, None)


@pytest.mark.parametrize("jobs", ["", "x", ids.new("job"), ",".join(ids.new("job") for _ in range(13)), "a,b"])
def test_too_few_too_many_or_no_ids_are_refused(client, jobs):
    answer = client.get("/v1/comparisons", params={"jobs": jobs})
    assert answer.status_code == 422
    assert "query/jobs" in answer.text


def test_jobs_of_others_are_not_found(client, services, trained):
    jobs = [trained(), trained()]
    with TestClient(create_app(services)) as stranger:
        stranger.headers["Authorization"] = f"Bearer {make_key(services, tenant='other')}"
        assert stranger.get("/v1/comparisons", params={"jobs": ",".join(jobs)}).status_code == 404
    assert client.get("/v1/comparisons", params={"jobs": f"{jobs[0]},{ids.new('job')}"}).status_code == 404
