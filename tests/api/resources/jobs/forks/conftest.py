import pytest

from tests.api.conftest import post


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
    return {path.name for path in (services.settings.artifacts_dir / "jobs").iterdir()}


def weights(client, job_id, checkpoint):
    return client.get(f"/v1/jobs/{job_id}/checkpoints/{checkpoint}/generator.safetensors")
