"""/v1/evaluations: asked for, listed, cancelled and refused, without a worker's torch."""

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from store import ids, states
from tests.api.conftest import make_key, post
from tests.api.measuring import PROTOCOL, draw_nearest, measure


@pytest.fixture
def trained(client, runner):
    """Return a job on digits, and its two checkpoints. The first is the best."""
    job_id = post(client, dataset={"name": "digits"})["id"]
    runner.start(job_id)
    return job_id, runner.save(job_id, 100, fid=5.0), runner.save(job_id, 200, fid=9.0)


def ask(client, **wish):
    return client.post("/v1/evaluations", json=wish)


def test_a_jobs_best_checkpoint_is_evaluated(client, services, trained):
    job_id, best, _ = trained
    answer = ask(client, job=job_id)
    assert answer.status_code == 202, answer.text
    made = answer.json()
    assert answer.headers["location"] == f"/v1/evaluations/{made['id']}"
    assert (made["job"], made["checkpoint"], made["images_seen"]) == (job_id, best, 100)
    assert (made["status"], made["figures"], made["protocol"], made["unavailable"]) == ("queued", None, None, None)
    assert made["wish"] == {"extractor": "auto", "samples": 10_000, "seed": 0, "reference": "holdout"}
    assert made["metrics"]
    assert made["progress"] == {"images": 0, "images_total": 10_000, "fraction": 0.0}
    measure(services, made["id"], value=0.02, low=0.01, high=0.03)
    found = client.get(answer.headers["location"]).json()
    assert (found["status"], found["progress"]["fraction"]) == (states.SUCCEEDED, 1.0)
    assert found["figures"] == {"kid": {"value": 0.02, "interval": [0.01, 0.03], "note": ""}}
    assert found["unavailable"] == {"fid": "300 images are too few"}
    assert found["protocol"] == PROTOCOL.model_dump(mode="json")
    assert found["ended_at"] is not None


def test_a_checkpoint_is_evaluated_as_asked(client, trained):
    protocol = {"samples": 2_000, "seed": 7, "reference": "train", "extractor": "imagenet"}
    made = ask(client, checkpoint=trained[2], metrics=["kid", "memorisation"], protocol=protocol).json()
    assert (made["checkpoint"], made["images_seen"]) == (trained[2], 200)
    assert (made["metrics"], made["wish"]) == (["kid", "memorisation"], protocol)


def test_a_repeated_request_makes_one_evaluation(client, trained):
    headers = {"Idempotency-Key": "once"}
    first, second = (client.post("/v1/evaluations", json={"job": trained[0]}, headers=headers) for _ in range(2))
    assert first.json() == second.json()
    assert len(client.get("/v1/evaluations").json()["data"]) == 1


def test_evaluations_are_listed_in_pages_and_by_job(client, runner, trained):
    other = post(client, dataset={"name": "digits"})["id"]
    runner.start(other)
    runner.save(other, 100)
    ours = [ask(client, job=trained[0]).json()["id"] for _ in range(3)]
    theirs = ask(client, job=other).json()["id"]
    page = client.get("/v1/evaluations?limit=2").json()
    assert [row["id"] for row in page["data"]] == [theirs, ours[2]]
    rest = client.get(f"/v1/evaluations?limit=2&after={page['next']}").json()
    assert [row["id"] for row in rest["data"]] == [ours[1], ours[0]]
    assert not rest["has_more"]
    assert [row["id"] for row in client.get(f"/v1/evaluations?job={other}").json()["data"]] == [theirs]


def test_an_evaluation_is_no_job_of_the_list(client, trained):
    made = ask(client, job=trained[0]).json()
    assert [row["id"] for row in client.get("/v1/jobs").json()["data"]] == [trained[0]]
    assert made["id"] not in client.get("/").text


def test_cancel_ends_it_and_only_once_it_runs_no_more(client, services, trained):
    made = ask(client, job=trained[0]).json()
    assert client.post(f"/v1/evaluations/{made['id']}/cancel").json()["status"] == states.CANCELLED
    done = ask(client, job=trained[0]).json()
    measure(services, done["id"], value=0.02)
    assert client.post(f"/v1/evaluations/{done['id']}/cancel").status_code == 409


@pytest.mark.parametrize(
    ("wish", "pointer", "detail"),
    [
        ({}, "", "either a job or a checkpoint"),
        ({"metrics": ["kid", "kid"]}, "", "each metric once"),
        ({"metrics": ["beauty"]}, "/metrics/0", "kid"),
        ({"metrics": ["modes"]}, "/metrics/0", "no known modes"),
        ({"protocol": {"samples": 10}}, "/protocol/samples", "1000"),
        ({"protocol": {"samples": 10**6}}, "/protocol/samples", "50000"),
        ({"protocol": {"extractor": "garments"}}, "/protocol/extractor", "garments"),
        ({"protocol": {"reference": "test"}}, "/protocol/reference", "holdout"),
        ({"protocol": {"colour": 1}}, "/protocol/colour", ""),
    ],
)
def test_a_wish_that_cannot_be_met_is_refused(client, trained, wish, pointer, detail):
    body = wish if wish == {} else wish | {"job": trained[0]}
    answer = ask(client, **body)
    assert answer.status_code == 422, answer.text
    found = [error for error in answer.json()["errors"] if error["pointer"] == pointer]
    assert found, answer.text
    assert detail in found[0]["detail"]


def test_points_have_no_features(client, runner):
    job_id = post(client, dataset={"name": "ring"})["id"]
    runner.start(job_id)
    runner.save(job_id, 100)
    assert ask(client, job=job_id).json()["metrics"] == ["modes"]
    answer = ask(client, job=job_id, metrics=["kid"])
    assert answer.status_code == 422
    assert "ring has no feature extractor for kid" in answer.json()["detail"]


def test_what_is_not_there_or_has_no_checkpoint_is_refused(client, services, trained):
    assert ask(client, job=ids.new("job")).status_code == 404
    assert ask(client, checkpoint=ids.new("ckpt")).status_code == 404
    assert client.get(f"/v1/evaluations/{ids.new('eval')}").status_code == 404
    assert client.get("/v1/evaluations/eval_x").status_code == 422
    answer = ask(client, job=post(client, dataset={"name": "digits"})["id"])
    assert answer.status_code == 409
    assert "no checkpoint yet" in answer.json()["detail"]


def test_another_tenants_jobs_checkpoints_and_evaluations_are_not_found(client, services, trained):
    made = ask(client, job=trained[0]).json()
    with TestClient(create_app(services)) as stranger:
        stranger.headers["Authorization"] = f"Bearer {make_key(services, tenant='other')}"
        assert ask(stranger, job=trained[0]).status_code == 404
        assert ask(stranger, checkpoint=trained[1]).status_code == 404
        assert stranger.get(f"/v1/evaluations/{made['id']}").status_code == 404
        assert stranger.post(f"/v1/evaluations/{made['id']}/cancel").status_code == 404
        assert stranger.get("/v1/evaluations").json()["data"] == []


def test_the_nearest_pairs_are_a_picture(client, services, trained):
    made = ask(client, job=trained[0], metrics=["memorisation"]).json()
    address = f"/v1/evaluations/{made['id']}/nearest.png"
    assert made["nearest"] is None
    assert client.get(address).status_code == 404
    key = draw_nearest(services)
    measure(services, made["id"], value=0.02, nearest=key)
    assert client.get(f"/v1/evaluations/{made['id']}").json()["nearest"] == address
    answer = client.get(address)
    assert (answer.content, answer.headers["content-type"]) == (b"pairs", "image/png")
    with TestClient(create_app(services)) as stranger:
        stranger.headers["Authorization"] = f"Bearer {make_key(services, tenant='other')}"
        assert stranger.get(address).status_code == 404
    services.artifacts.delete(key)
    answer = client.get(address)
    assert (answer.status_code, "ask for the metric memorisation" in answer.json()["detail"]) == (404, True)
