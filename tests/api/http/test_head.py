"""HEAD of every path: GET's status and headers, and no body."""

import httpx
import pytest

from api.dashboard.assets import PLOTLY_URL
from embedded.redis import free_port
from store import payloads, states
from tests.api.conftest import post
from tests.api.dashboard.fixtures import serving
from tests.api.importing import import_pets
from tests.api.measuring import draw_nearest, measure

ABSENT = f"job_{'0' * 26}"
PATHS = [
    "/",
    "/?status=failed",
    "/jobs/{job_id}",
    "/login",
    "/static/base.css",
    PLOTLY_URL,
    "/docs",
    "/docs-files/swagger-ui.css",
    "/openapi.json",
    "/healthz",
    "/readyz",
    "/v1/jobs",
    "/v1/jobs?limit=1",
    "/v1/jobs/{job_id}",
    "/v1/jobs/{job_id}/metrics",
    "/v1/jobs/{job_id}/events",
    "/v1/jobs/{job_id}/checkpoints",
    "/v1/jobs/{job_id}/checkpoints/{checkpoint_id}",
    "/v1/jobs/{job_id}/checkpoints/{checkpoint_id}/generator.safetensors",
    "/v1/jobs/{job_id}/samples.png",
    "/v1/jobs/{job_id}/samples?count=3",
    "/v1/jobs/{job_id}/timeline",
    "/v1/jobs/{job_id}/timeline/{images_seen}.png",
    "/v1/presets",
    "/v1/presets/{name}",
    "/v1/datasets",
    "/v1/figures",
    "/v1/datasets/{dataset_id}",
    "/v1/datasets/{dataset_id}/preview.png",
    "/v1/datasets/{imported_id}",
    "/v1/datasets/{imported_id}/events",
    "/v1/datasets/{imported_id}/report",
    "/v1/datasets/{imported_id}/mean.png",
    "/v1/datasets/{imported_id}/images/{number}.png",
    "/datasets",
    "/datasets/{imported_id}",
    "/v1/evaluations",
    "/v1/evaluations/{evaluation_id}",
    "/v1/evaluations/{evaluation_id}/events",
    "/v1/evaluations/{evaluation_id}/nearest.png",
    "/v1/comparisons?jobs={job_id},{other_id}",
    "/v1/keys",
    "/v1/workers",
]
FAULTS = [
    ("/v1/nothing", 404),
    ("/v1/jobs/", 404),
    (f"/v1/jobs/{ABSENT}", 404),
    (f"/v1/jobs/{ABSENT}/events", 404),
    (f"/jobs/{ABSENT}", 404),
    ("/v1/jobs?limit=0", 422),
    (f"/v1/jobs/{ABSENT}/cancel", 405),
    ("/static/absent.css", 404),
]


@pytest.fixture
def database_url(sqlite_url):
    """The answers are GET's, which are tested on both databases."""
    return sqlite_url


@pytest.fixture
def saved(client, runner, services):
    """An ended job with a checkpoint: what the paths above name."""
    job_id = post(client)["id"]
    runner.start(job_id)
    checkpoint = runner.save(job_id, 100)
    runner.draw(job_id, 100)
    runner.end(job_id)
    made = {
        "images_seen": 100,
        "job_id": job_id,
        "checkpoint_id": checkpoint,
        "name": "robust",
        "dataset_id": "ring",
        "number": 3,
    }
    evaluation = client.post("/v1/evaluations", json={"job": job_id}).json()["id"]
    measure(services, evaluation, value=0.1, nearest=draw_nearest(services))  # its events end
    more = {"imported_id": import_pets(services), "evaluation_id": evaluation, "other_id": post(client)["id"]}
    return made | more


def compare(client, path, **headers):
    get, head = client.get(path, headers=headers), client.head(path, headers=headers)
    assert head.status_code == get.status_code, path
    assert dict(head.headers) == dict(get.headers), path
    assert head.content == b""
    return head


def test_head_of_every_route_is_get_without_its_body(client, saved):
    for path in PATHS:
        head = compare(client, path.format(**saved))
        assert head.status_code == (503 if path == "/readyz" else 200), path


def test_no_get_route_is_missing_above(client):
    tried = {path.partition("?")[0].replace("imported_id", "dataset_id") for path in PATHS}
    documented = {path for path, methods in client.get("/openapi.json").json()["paths"].items() if "get" in methods}
    assert documented - tried == {"/metrics"}


def test_head_of_the_metrics_is_get_but_for_the_numbers(client):
    get, head = client.get("/metrics"), client.head("/metrics")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers.keys() == get.headers.keys()


@pytest.mark.parametrize(("path", "status"), FAULTS)
def test_head_of_what_get_refuses_is_refused_alike(client, path, status):
    assert compare(client, path).status_code == status


def test_head_needs_a_key_as_get_does(anonymous):
    assert compare(anonymous, "/v1/jobs").status_code == 401
    head = anonymous.head("/", follow_redirects=False)
    assert (head.status_code, head.headers["location"]) == (303, "/login?next=%2F")


def test_head_knows_the_clients_copy(client, saved):
    path = f"/v1/jobs/{saved['job_id']}/samples.png"
    etag = client.head(path).headers["etag"]
    assert compare(client, path, **{"If-None-Match": etag}).status_code == 304


def test_head_of_a_running_jobs_events_does_not_wait(client, runner):
    job_id = post(client)["id"]
    runner.start(job_id)
    for after in (0, 1000):
        head = client.head(f"/v1/jobs/{job_id}/events?after={after}")
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-type"].startswith("text/event-stream")


def test_head_is_logged_and_counted_as_head_of_its_route(client, capfd):
    client.head("/v1/jobs")
    assert 'saddle_http_requests_total{method="HEAD",route="/v1/jobs",status="200"} 1.0' in client.get("/metrics").text
    assert "method=HEAD" in capfd.readouterr().out


def test_a_path_that_knows_get_allows_head(client):
    for path in ("/v1/jobs", "/healthz", "/", "/login", "/docs", "/static/base.css"):
        allowed = client.patch(path).headers["allow"].split(", ")
        assert {"GET", "HEAD"} <= set(allowed)


def test_a_real_server_keeps_the_connection_after_a_head(tmp_path, sqlite_url, redis_url):
    """The server checks Content-Length against the body: HEAD must reach it as HEAD."""
    with serving(tmp_path, database_url=sqlite_url, redis_url=redis_url, port=free_port()) as installation:
        job_id = installation.create(name=None)
        installation.start(job_id)
        checkpoint = installation.save(job_id, 100)
        headers = {"Authorization": f"Bearer {installation.key}"}
        with httpx.Client(base_url=installation.url, headers=headers, trust_env=False, timeout=10) as client:
            weights = f"/v1/jobs/{job_id}/checkpoints/{checkpoint}/generator.safetensors"
            for path in ("/", f"/v1/jobs/{job_id}/events", f"/v1/jobs/{job_id}/samples.png", weights, PLOTLY_URL):
                head = client.head(path)
                assert (head.status_code, head.content) == (200, b""), path
                assert client.get("/healthz").json() == {"status": "ok"}
            assert client.head(weights).headers["content-length"] == "7"
        installation.finish(job_id, states.SUCCEEDED, payloads.Reason("completed", "done"))
