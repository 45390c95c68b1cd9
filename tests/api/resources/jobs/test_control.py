"""Cancel, pause, resume and retry: what a client may do in each state, and the result."""

import pytest

from store import states
from tests.api.conftest import make_key, post

ALLOWED = {
    "pause": {"queued": "paused", "running": "pausing", "pausing": "pausing", "paused": "paused"},
    "resume": {"paused": "queued"},
    "retry": {"failed": "queued", "diverged": "queued"},
    "cancel": {
        "queued": "cancelled",
        "running": "cancelling",
        "pausing": "cancelling",
        "paused": "cancelled",
        "cancelling": "cancelling",
        "cancelled": "cancelled",
    },
}
SAYS = {
    "pause": "only a queued or running job can be paused",
    "resume": "only a paused job can be resumed",
    "retry": "only a failed or diverged job can be tried again",
    "cancel": "it has ended, there is nothing to cancel",
}
PAUSING_SAYS = "resume it once it is paused"


@pytest.fixture
def reach(client, runner):
    """A new job in the state that is asked for."""

    def make(state: str) -> str:
        job_id: str = post(client)["id"]
        if state not in {"queued", "paused", "cancelled"}:
            runner.start(job_id)
        if state in {"pausing", "paused"}:
            order(client, job_id, "pause")
        if state in {"cancelling", "cancelled"}:
            order(client, job_id, "cancel")
        if state in {"succeeded", "failed", "diverged"}:
            runner.end(job_id, state)
        assert client.get(f"/v1/jobs/{job_id}").json()["status"] == state
        return job_id

    return make


def order(client, job_id, verb):
    answer = client.post(f"/v1/jobs/{job_id}/{verb}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def told(client, job_id):
    """Return the states of the job's history, oldest first."""
    events = client.get(f"/v1/jobs/{job_id}/events", headers={"Accept": "application/json"}).json()["data"]
    return [event["data"]["status"] for event in events if event["type"] == "state"]


@pytest.mark.parametrize("verb", ALLOWED)
def test_an_order_leads_from_each_state_that_allows_it_to_its_next(client, reach, verb):
    for state, expected in ALLOWED[verb].items():
        job_id = reach(state)
        answered = order(client, job_id, verb)
        assert answered["status"] == expected, state
        assert answered == client.get(f"/v1/jobs/{job_id}").json()


@pytest.mark.parametrize("verb", ALLOWED)
def test_an_order_is_refused_in_every_other_state_and_changes_nothing(client, reach, verb):
    for state in (state for state in states.STATUSES if state not in ALLOWED[verb]):
        job_id = reach(state)
        before = client.get(f"/v1/jobs/{job_id}").json()
        answer = client.post(f"/v1/jobs/{job_id}/{verb}")
        says = PAUSING_SAYS if (verb, state) == ("resume", "pausing") else SAYS[verb]
        assert answer.status_code == 409, state
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["detail"] == f"job {job_id} is {state}: {says}"
        assert client.get(f"/v1/jobs/{job_id}").json() == before


def test_a_running_job_is_paused_when_its_runner_has_saved_and_goes_on_after_a_resume(client, runner, services):
    job_id = post(client)["id"]
    runner.start(job_id)
    assert order(client, job_id, "pause")["reason"] == {"code": "paused", "message": "paused by the client"}
    saved = runner.save(job_id, 100)
    runner.stop(job_id)
    paused = client.get(f"/v1/jobs/{job_id}").json()
    assert (paused["status"], paused["reason"]["code"]) == ("paused", "paused")
    assert (paused["latest_checkpoint"], paused["ended_at"]) == (saved, None)
    hints = services.queue.depth()
    resumed = order(client, job_id, "resume")
    assert (resumed["reason"]["code"], resumed["latest_checkpoint"]) == ("resumed", saved)
    assert services.queue.depth() == hints + 1
    runner.start(job_id)
    assert client.get(f"/v1/jobs/{job_id}").json()["attempt"] == 2
    assert told(client, job_id) == ["queued", "running", "pausing", "paused", "queued", "running"]


def test_a_success_that_comes_before_the_pause_is_a_success(client, runner):
    job_id = post(client)["id"]
    runner.start(job_id)
    order(client, job_id, "pause")
    runner.end(job_id)
    assert client.get(f"/v1/jobs/{job_id}").json()["status"] == "succeeded"


def test_a_retried_job_has_not_ended_and_keeps_its_checkpoints(client, runner, services):
    job_id = post(client)["id"]
    runner.start(job_id)
    saved = runner.save(job_id, 100)
    runner.end(job_id, "failed")
    assert client.get(f"/v1/jobs/{job_id}").json()["ended_at"] is not None
    hints = services.queue.depth()
    retried = order(client, job_id, "retry")
    assert (retried["reason"]["code"], retried["crashes"], retried["ended_at"]) == ("retried", 0, None)
    assert retried["latest_checkpoint"] == saved
    assert services.queue.depth() == hints + 1
    assert client.delete(f"/v1/jobs/{job_id}").status_code == 409


def test_the_list_finds_paused_jobs(client, reach):
    paused = reach("paused")
    reach("queued")
    assert [job["id"] for job in client.get("/v1/jobs?status=paused").json()["data"]] == [paused]


ORDERS = [
    *(("POST", f"/{verb}") for verb in ALLOWED),
    ("POST", "/fork"),
    ("PUT", "/checkpoints/{checkpoint}/pin"),
    ("DELETE", "/checkpoints/{checkpoint}/pin"),
]


@pytest.fixture
def saved(client, runner):
    """A running job of the client's, and its checkpoint."""
    job_id = post(client)["id"]
    runner.start(job_id)
    return job_id, runner.save(job_id, 100)


@pytest.mark.parametrize(("role", "tenant", "status"), [("read", "default", 403), ("admin", "others", 404)])
def test_a_key_that_only_reads_or_is_anothers_orders_nothing(client, services, saved, role, tenant, status):
    job_id, checkpoint = saved
    before = client.get(f"/v1/jobs/{job_id}").json()
    foreign = {"Authorization": f"Bearer {make_key(services, role=role, tenant=tenant)}"}
    for method, path in ORDERS:
        url = f"/v1/jobs/{job_id}{path.format(checkpoint=checkpoint)}"
        answer = client.request(method, url, headers=foreign, json={} if path == "/fork" else None)
        assert answer.status_code == status, path
        assert answer.headers["content-type"] == "application/problem+json"
    assert client.get(f"/v1/jobs/{job_id}").json() == before
    assert len(client.get("/v1/jobs").json()["data"]) == 1


def test_what_is_no_job_has_nothing_to_order(client):
    for verb in ALLOWED:
        assert client.post(f"/v1/jobs/job_{'0' * 26}/{verb}").status_code == 404
        assert client.post(f"/v1/jobs/job_1/{verb}").status_code == 422
