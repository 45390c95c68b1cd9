import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from saddle.cli import app
from saddle.client import Client
from tests.saddle.fake_saddle import FakeSaddle
from tests.saddle.fake_server import KEY, Handler


@pytest.fixture
def saddle() -> Iterator[FakeSaddle]:
    fake = FakeSaddle()
    handler = type("BoundHandler", (Handler,), {"fake": fake})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    fake.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield fake
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def waits() -> list[float]:
    """The seconds that the client waited between tries: noted, not slept."""
    return []


@pytest.fixture
def client(saddle: FakeSaddle, waits: list[float]) -> Iterator[Client]:
    with Client(saddle.url, KEY, sleep=waits.append) as connected:
        yield connected


class Command:
    """Runs `saddle` as a shell would."""

    def __init__(self, url: str, folder: Path) -> None:
        self.environment: dict[str, str | None] = {
            "SADDLE_URL": url,
            "SADDLE_API_KEY": KEY,
            "SADDLE_DATA_DIR": str(folder),
            "COLUMNS": "80",
        }

    def __call__(self, *arguments: str, **environment: str | None) -> Result:
        return CliRunner().invoke(app, arguments, env=self.environment | environment, catch_exceptions=False)


@pytest.fixture
def command(saddle: FakeSaddle, tmp_path: Path) -> Command:
    return Command(saddle.url, tmp_path)
