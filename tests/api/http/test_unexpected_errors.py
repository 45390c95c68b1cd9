"""Unexpected errors: the client learns as little as possible, the operator everything."""

import re

import pytest
from starlette.requests import ClientDisconnect
from starlette.responses import StreamingResponse
from starlette.testclient import TestClient

from api.app import create_app
from tests.api.conftest import make_key

HEADERS = ("content-security-policy", "x-content-type-options", "referrer-policy")
SECRET = "the wheel came off"


@pytest.fixture
def database_url(sqlite_url):
    """None of these errors is the database's."""
    return sqlite_url


@pytest.fixture
def app(services):
    app = create_app(services)

    def plain() -> None:
        raise RuntimeError(SECRET)

    async def asynchronous() -> None:
        raise KeyError(SECRET)

    async def hung_up() -> None:
        raise ClientDisconnect

    app.add_api_route("/broken/{number}", plain, methods=["GET", "POST"])
    app.add_api_route("/broken-too", asynchronous)
    app.add_api_route("/hung-up", hung_up)
    return app


@pytest.fixture
def broken(app, services):
    """A client of an application with routes that fail."""
    with TestClient(app, raise_server_exceptions=False) as client:
        client.headers["Authorization"] = f"Bearer {make_key(services)}"
        yield client


def counted(client, route, status, method="GET"):
    text = client.get("/metrics").text
    found = re.search(
        rf'saddle_http_requests_total{{method="{method}",route="{re.escape(route)}",status="{status}"}} (\S+)', text
    )
    return float(found[1]) if found else 0.0


@pytest.mark.parametrize(
    ("method", "path", "route"),
    [
        ("GET", "/broken/1?key=sk_hidden", "/broken/{number}"),
        ("POST", "/broken/2", "/broken/{number}"),
        ("HEAD", "/broken/3", "/broken/{number}"),
        ("GET", "/broken-too", "/broken-too"),
    ],
)
def test_an_error_is_a_500_that_is_counted_logged_and_headed(broken, capfd, method, path, route):
    answer = broken.request(method, path)
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert SECRET not in answer.text
    for name in HEADERS:
        assert answer.headers[name] == broken.get("/healthz").headers[name]
    printed = capfd.readouterr().out
    (line,) = [line for line in printed.splitlines() if "] request " in line]
    assert "status=500" in line
    assert f"path={path.partition('?')[0]}" in line
    assert "sk_hidden" not in line
    assert SECRET in printed
    assert counted(broken, route, 500, method) == 1.0


def test_an_error_of_a_page_and_of_a_sampler_is_counted_too(broken, services, monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError(SECRET)

    monkeypatch.setattr(services.sampler, "estimate", fail)
    monkeypatch.setattr("api.dashboard.jobs_page.rendering.page", fail)
    for answer in (broken.get("/"), broken.post("/v1/jobs?dry_run=true", json={})):
        assert answer.status_code == 500
        assert SECRET not in answer.text
        assert all(name in answer.headers for name in HEADERS)
    assert counted(broken, "/", 500) == 1.0
    assert counted(broken, "/v1/jobs", 500, "POST") == 1.0


def test_the_next_request_is_served(broken):
    assert broken.get("/broken/1").status_code == 500
    assert broken.get("/healthz").status_code == 200


def test_an_answer_that_breaks_off_is_no_whole_answer(app, services, capfd):
    def stream():
        yield b"half"
        raise RuntimeError(SECRET)

    app.add_api_route("/half", lambda: StreamingResponse(stream()))
    with TestClient(app) as client, pytest.raises(RuntimeError, match=SECRET):
        client.get("/half")
    assert SECRET in capfd.readouterr().out


def test_a_client_that_hangs_up_is_no_error(app, services, capfd):
    with TestClient(app, raise_server_exceptions=False) as client:
        client.get("/hung-up")
        assert counted(client, "/hung-up", 500) == 0.0
    printed = capfd.readouterr().out
    assert "client went away" in printed
    assert "Traceback" not in printed
