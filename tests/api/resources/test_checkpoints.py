"""Pins, and the download of the generator."""

import httpx
import pytest

from embedded.redis import free_port
from store import payloads, states
from tests.api.conftest import post
from tests.api.dashboard.fixtures import serving

ZEROS = "0" * 26


@pytest.fixture
def saved(client, runner):
    """A running job and its two checkpoints."""
    job_id = post(client)["id"]
    runner.start(job_id)
    return job_id, runner.save(job_id, 100), runner.save(job_id, 200)


def pins(client, job_id):
    rows = client.get(f"/v1/jobs/{job_id}/checkpoints").json()["data"]
    return {row["id"] for row in rows if row["pinned"]}


def test_a_pin_is_set_and_taken_off_and_twice_is_once(client, saved):
    job_id, older, _ = saved
    url = f"/v1/jobs/{job_id}/checkpoints/{older}"
    assert pins(client, job_id) == set()
    for _ in range(2):
        answer = client.put(f"{url}/pin")
        assert (answer.status_code, answer.json()["id"], answer.json()["pinned"]) == (200, older, True)
    assert client.get(url).json()["pinned"]
    assert pins(client, job_id) == {older}
    for _ in range(2):
        answer = client.delete(f"{url}/pin")
        assert (answer.status_code, answer.json()["pinned"]) == (200, False)
    assert pins(client, job_id) == set()


def test_a_checkpoint_of_an_ended_job_can_be_pinned(client, runner, saved):
    job_id, older, _ = saved
    runner.end(job_id)
    assert client.put(f"/v1/jobs/{job_id}/checkpoints/{older}/pin").json()["pinned"]


def test_a_pin_goes_neither_to_a_fork_nor_to_another_job(client, saved):
    job_id, _, newer = saved
    client.put(f"/v1/jobs/{job_id}/checkpoints/{newer}/pin")
    child = client.post(f"/v1/jobs/{job_id}/fork", json={}).json()
    assert pins(client, child["id"]) == set()
    assert client.put(f"/v1/jobs/{child['id']}/checkpoints/{newer}/pin").status_code == 404


def test_what_is_no_checkpoint_cannot_be_pinned(client, saved):
    job_id = saved[0]
    for method in ("PUT", "DELETE"):
        assert client.request(method, f"/v1/jobs/{job_id}/checkpoints/ckpt_{ZEROS}/pin").status_code == 404
        assert client.request(method, f"/v1/jobs/{job_id}/checkpoints/latest/pin").status_code == 422
        assert client.request(method, f"/v1/jobs/job_{ZEROS}/checkpoints/ckpt_{ZEROS}/pin").status_code == 404


def test_weights_that_are_gone_are_not_found(client, services, saved):
    job_id, older, _ = saved
    services.artifacts.delete(f"jobs/{job_id}/checkpoints/100")
    answer = client.get(f"/v1/jobs/{job_id}/checkpoints/{older}/generator.safetensors")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_download_goes_on_when_its_job_is_deleted_meanwhile(tmp_path, sqlite_url, redis_url):
    content = bytes(range(256)) * 2**18  # 64 MiB, more than all buffers between the two hold
    with serving(tmp_path, database_url=sqlite_url, redis_url=redis_url, port=free_port()) as installation:
        job_id = installation.create(name=None)
        installation.start(job_id)
        checkpoint = installation.save(job_id, 100)
        folder = installation.services.artifacts.local_copy(f"jobs/{job_id}/checkpoints/100")
        (folder / "generator.safetensors").write_bytes(content)
        installation.finish(job_id, states.SUCCEEDED, payloads.Reason("completed", "done"))
        headers = {"Authorization": f"Bearer {installation.key}"}
        with httpx.Client(base_url=installation.url, headers=headers, trust_env=False) as client:
            with client.stream("GET", f"/v1/jobs/{job_id}/checkpoints/{checkpoint}/generator.safetensors") as answer:
                assert int(answer.headers["content-length"]) == len(content)
                chunks = answer.iter_bytes()
                received = [next(chunks)]
                assert client.delete(f"/v1/jobs/{job_id}").status_code == 204
                assert not folder.exists()
                received += chunks
            assert b"".join(received) == content
            gone = client.get(f"/v1/jobs/{job_id}/checkpoints/{checkpoint}/generator.safetensors")
            assert gone.status_code == 404
