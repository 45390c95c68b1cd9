from http import HTTPStatus

import pytest

from store import jobs, queue, workers
from tests.api.conftest import make_key, post
from tests.api.importing import import_pets


def test_an_empty_body_starts_the_default_recipe(client, services):
    answer = client.post("/v1/jobs", json={})
    job = answer.json()
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/v1/jobs/{job['id']}"
    assert job["status"] == "queued"
    assert job["spec"]["preset"] == "robust"
    dataset = job["spec"]["dataset"]
    assert (dataset["kind"], dataset["name"], dataset["facts"]["resolution"]) == ("builtin", "fashion-mnist", 28)
    assert job["progress"]["fraction"] == 0
    assert services.queue.depth() == 1
    assert client.get(answer.headers["location"]).json() == job


def test_a_part_of_a_spec_is_laid_over_the_preset(client):
    job = post(client, name="shoes", preset="article", generator_optimizer={"lr": 0.001}, metadata={"team": "vision"})
    assert job["name"] == "shoes"
    assert job["metadata"] == {"team": "vision"}
    optimizer = job["spec"]["generator_optimizer"]
    assert (optimizer["kind"], optimizer["lr"], optimizer["betas"]) == ("adam", 0.001, [0.5, 0.999])
    assert job["spec"]["discriminator_optimizer"]["lr"] == 0.0002


def test_a_dry_run_tells_and_stores_nothing(client, services, runner):
    job = post(client)
    runner.start(job["id"])
    runner.tick(job["id"], 1000, images_per_second=50.0)
    answer = client.post("/v1/jobs?dry_run=true", json={"budget": {"images": 100_000}, "guard": {"kind": "off"}})
    assert answer.status_code == 200
    told = answer.json()
    assert told["parameters"] == {"generator": 10, "discriminator": 20}
    assert told["estimated_seconds"] == 2000.0
    assert told["estimated_memory_bytes"] == 1000
    assert any("guard off" in warning for warning in told["warnings"])
    with services.database.read() as session:
        assert sum(jobs.counts(session).values()) == 1


def test_a_worker_with_a_gpu_makes_new_jobs_wider_and_a_dry_run_says_so(client, services):
    body = {"dataset": {"kind": "uploaded", "id": import_pets(services, resolution=64)}}
    told = client.post("/v1/jobs?dry_run=true", json=body).json()
    assert told["spec"]["architecture"]["channels"] == 32
    assert any("no worker has a GPU" in warning for warning in told["warnings"])
    with services.database.write() as session:
        workers.beat(session, worker_id="w", host="h", pid=1, device="cuda")
    told = client.post("/v1/jobs?dry_run=true", json=body).json()
    assert told["spec"]["architecture"]["channels"] == 64
    assert any("a worker has a GPU" in warning for warning in told["warnings"])
    assert client.post("/v1/jobs", json=body).json()["spec"]["architecture"]["channels"] == 64


@pytest.mark.parametrize(
    ("body", "pointer", "says"),
    [
        ({"batch_size": 10**9}, "/batch_size", "65536"),
        ({"dataset": {"resolution": 10**6}}, "/dataset/resolution", "28"),
        ({"dataset": {"resolution": 32}}, "/dataset/resolution", "28"),
        ({"discriminator_steps": -1}, "/discriminator_steps", "1"),
        ({"architecture": {"generator_widths": [8] * 10_000}}, "/architecture/generator_widths", "16"),
        ({"architecture": {"latent_dim": "many"}}, "/architecture/latent_dim", "integer"),
        ({"penalties": [{"kind": "r1", "weight": -1}]}, "/penalties/0/weight", "greater than 0"),
        ({"penalties": [{"kind": "r1"}, {"kind": "r1"}]}, "", "once"),
        ({"tenant": "x"}, "/tenant", "unknown"),
        ({"status": "succeeded"}, "/status", "unknown"),
        ({"dataset": {"checkpoint_path": "/x"}}, "/dataset/checkpoint_path", "unknown"),
        ({"dataset": {"name": "cifar"}}, "/dataset/name", "fashion-mnist, digits, ring, grid, stacked-fashion"),
        ({"dataset": {"name": "digits"}, "batch_size": 5000}, "", "1497"),
        ({"preset": "best"}, "/preset", "robust"),
        ({"name": "a\u0000b"}, "/name", "U+0000"),
        ({"name": "a\u202eb"}, "/name", "U+202E"),
        ({"name": ""}, "/name", "1"),
        ({"budget": {"images": None, "seconds": None}}, "/budget", "at least one"),
        ({"seed": True}, "/seed", "integer"),
        ({"batch_size": "128"}, "/batch_size", "integer"),
        ({"metadata": {"k": "v" * 501}}, "/metadata/k", "500"),
    ],
)
def test_what_cannot_work_is_refused_by_field_and_limit(client, body, pointer, says):
    answer = client.post("/v1/jobs", json=body)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["status"], problem["title"]) == (422, HTTPStatus(422).phrase)
    assert pointer in [error["pointer"] for error in problem["errors"]]
    assert any(says in error["detail"] for error in problem["errors"]), problem


@pytest.mark.parametrize(
    ("content", "status"),
    [
        ('{"generator_optimizer": {"lr": NaN}}', 422),
        ('{"generator_optimizer": {"lr": Infinity}}', 422),
        ('{"generator_optimizer": {"lr": 1e400}}', 422),
        ('{"seed": 1' + "0" * 5000 + "}", 400),
        ("[" * 10_000 + "]" * 10_000, 400),
        ('{"metadata": ' + '{"a": ' * 100 + "1" + "}" * 101, 400),
        ('{"name": "cut', 400),
        ("", 400),
        (b"\xff\xfe", 400),
        ("[]", 422),
        ('{"name": "\\ud800"}', 422),
        ('{"name": "' + "x" * 2_000_000 + '"}', 413),
    ],
)
def test_broken_bodies_get_a_clear_answer(client, content, status):
    answer = client.post("/v1/jobs", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]


def test_a_body_that_is_no_json_media_type_is_refused(client):
    answer = client.post("/v1/jobs", content="<job/>", headers={"Content-Type": "application/xml"})
    assert answer.status_code == 415


def test_script_in_a_name_is_plain_data(client):
    assert post(client, name="<script>alert(1)</script>")["name"] == "<script>alert(1)</script>"


def test_the_same_key_gives_the_same_answer_and_another_body_is_refused(client, services):
    headers = {"Idempotency-Key": "k-1"}
    first = client.post("/v1/jobs", json={"name": "a"}, headers=headers)
    again = client.post("/v1/jobs", json={"name": "a"}, headers=headers)
    other = client.post("/v1/jobs", json={"name": "b"}, headers=headers)
    assert first.content == again.content
    assert first.headers["location"] == again.headers["location"]
    assert (first.status_code, again.status_code, other.status_code) == (202, 202, 422)
    with services.database.read() as session:
        assert jobs.counts(session)["queued"] == 1


def test_lists_are_newest_first_paged_and_filtered(client):
    made = [post(client, name=f"job {number}", metadata={"parity": str(number % 2)})["id"] for number in range(5)]
    first = client.get("/v1/jobs?limit=2").json()
    assert first["has_more"]
    rest = client.get(f"/v1/jobs?limit=10&after={first['next']}").json()
    assert not rest["has_more"]
    assert rest["next"] is None
    assert [job["id"] for job in first["data"] + rest["data"]] == sorted(made, reverse=True)
    odd = client.get("/v1/jobs", params={"metadata[parity]": "1", "status": "queued"}).json()
    assert {job["id"] for job in odd["data"]} == {made[1], made[3]}
    assert client.get("/v1/jobs?status=succeeded").json()["data"] == []
    assert client.get("/v1/jobs?dataset=digits").json()["data"] == []


@pytest.mark.parametrize("query", ["limit=1000000000", "limit=0", "after=forged", "status=odd", "metadata[]=1"])
def test_forged_queries_are_refused(client, query):
    answer = client.get(f"/v1/jobs?{query}")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"].startswith("query/")


def test_cancel_and_delete_follow_the_states(client, runner, services):
    job_id = post(client)["id"]
    assert client.delete(f"/v1/jobs/{job_id}").status_code == 409
    assert client.post(f"/v1/jobs/{job_id}/cancel").json()["status"] == "cancelled"
    assert client.post(f"/v1/jobs/{job_id}/cancel").status_code == 200
    running = post(client)["id"]
    runner.start(running)
    runner.save(running, 10)
    assert client.post(f"/v1/jobs/{running}/cancel").json()["status"] == "cancelling"
    runner.end(running)
    assert client.get(f"/v1/jobs/{running}").json()["status"] == "cancelled"
    folder = services.settings.artifacts_dir / "jobs" / running
    assert folder.exists()
    assert client.delete(f"/v1/jobs/{running}").status_code == 204
    assert not folder.exists()
    assert client.get(f"/v1/jobs/{running}").status_code == 404
    done = post(client)["id"]
    runner.start(done)
    runner.end(done)
    answer = client.post(f"/v1/jobs/{done}/cancel")
    assert answer.status_code == 409
    assert "succeeded" in answer.json()["detail"]


def test_progress_shows_share_speed_and_time_left(client, runner):
    job_id = post(client, budget={"images": 10_000})["id"]
    runner.start(job_id)
    runner.tick(job_id, 2500, images_per_second=500.0)
    progress = client.get(f"/v1/jobs/{job_id}").json()["progress"]
    assert progress == {
        "images_seen": 2500,
        "images_total": 10_000,
        "fraction": 0.25,
        "images_per_second": 500.0,
        "eta_seconds": 15.0,
    }


def test_another_tenants_job_is_not_there(anonymous, services):
    theirs = {"Authorization": f"Bearer {make_key(services, tenant='other')}"}
    ours = {"Authorization": f"Bearer {make_key(services)}"}
    job_id = anonymous.post("/v1/jobs", json={}, headers=theirs).json()["id"]
    absent = anonymous.get("/v1/jobs/job_" + "0" * 26, headers=ours)
    for method, path in [
        ("GET", ""),
        ("POST", "/cancel"),
        ("DELETE", ""),
        ("GET", "/metrics"),
        ("GET", "/events"),
        ("GET", "/checkpoints"),
        ("GET", "/samples.png"),
        ("GET", "/samples"),
    ]:
        answer = anonymous.request(method, f"/v1/jobs/{job_id}{path}", headers=ours)
        assert answer.status_code == absent.status_code == 404, path
        assert answer.json()["title"] == absent.json()["title"]
    assert anonymous.get("/v1/jobs", headers=ours).json()["data"] == []


def test_a_post_is_accepted_while_redis_is_away(client, services):
    away = queue.Queue("redis://127.0.0.1:1/0")
    services.database._deliver = away.deliver
    assert client.post("/v1/jobs", json={}).status_code == 202
