"""The running API against its own OpenAPI document, by generated requests."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from api.app import create_app
from embedded.redis import free_port
from store import workers
from tests.api.conftest import make_key


@pytest.fixture
def settings(settings):
    """A worker that was seen before the test counts as living to its end."""
    return settings.model_copy(update={"lease_seconds": 3600.0})


@pytest.fixture
def url(services, wait_for) -> Iterator[str]:
    """A server that does not lock out the many bad keys that are tried on it."""
    with services.database.write() as session:
        workers.beat(session, worker_id="w", host="h", pid=1, device="cpu")
    app = create_app(services)
    app.state.failures.limit = 10**9
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="critical"))
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_for(lambda: server.started)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(20)


@pytest.mark.timeout(540)  # a minute on two free cores, many on busy ones
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_generated_requests_find_no_server_error_and_nothing_undocumented(url, services, tmp_path):
    command = [str(Path(sys.executable).parent / "schemathesis"), "run", f"{url}/openapi.json"]
    options = {
        "--header": f"Authorization: Bearer {make_key(services)}",
        "--checks": "all",
        # A schema cannot say that a batch must fit its dataset: what is valid by it may still be a documented 422.
        "--exclude-checks": "positive_data_acceptance",
        "--max-examples": "5",
        "--workers": "2",
        "--request-timeout": "60",
        "--seed": "1",
        "--report-dir": str(tmp_path),
    }
    flags = [part for option in options.items() for part in option]
    run = subprocess.run(
        [*command, *flags, "--continue-on-failure", "--no-color"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]
    assert "Tested: " in run.stdout
