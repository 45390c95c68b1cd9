import pytest
from sqlalchemy.exc import OperationalError
from starlette.testclient import TestClient

from api.app import create_app
from store import workers
from store.database import Database
from tests.api.conftest import make_key


def test_the_process_is_alive_whatever_else(anonymous):
    assert anonymous.get("/healthz").json() == {"status": "ok"}


def test_readiness_wants_a_worker(anonymous, services):
    answer = anonymous.get("/readyz")
    assert (answer.status_code, answer.json()["workers"]) == (503, "none seen lately")
    with services.database.write() as session:
        workers.beat(session, worker_id="w", host="h", pid=1, device="cpu")
    answer = anonymous.get("/readyz")
    assert (answer.status_code, answer.json()["ready"]) == (200, True)


def test_workers_are_shown_to_admins(client, services):
    with services.database.write() as session:
        workers.beat(session, worker_id="w", host="h", pid=1, device="cpu")
        workers.take_up(session, worker_id="w", job_id="job_x")
    (row,) = client.get("/v1/workers").json()["data"]
    assert (row["id"], row["job_id"], row["alive"]) == ("w", "job_x", True)
    read = {"Authorization": f"Bearer {make_key(services, role='read')}"}
    assert client.get("/v1/workers", headers=read).status_code == 403


def test_prometheus_sees_jobs_and_requests(client):
    client.post("/v1/jobs", json={})
    text = client.get("/metrics").text
    assert 'saddle_jobs{status="queued"} 1.0' in text
    assert 'saddle_http_requests_total{method="POST",route="/v1/jobs",status="202"} 1.0' in text
    assert "saddle_database_up 1.0" in text


@pytest.fixture
def cut_off(services, monkeypatch):
    """The API with its database away."""

    def away(self: Database) -> None:
        raise OperationalError("connect", {}, Exception("connection refused"))

    secret = make_key(services)
    with TestClient(create_app(services), raise_server_exceptions=False) as client:
        client.headers["Authorization"] = f"Bearer {secret}"
        monkeypatch.setattr("sqlalchemy.engine.Engine.connect", away)
        monkeypatch.setattr("sqlalchemy.orm.Session.connection", away)
        monkeypatch.setattr("sqlalchemy.orm.Session.execute", lambda *_, **__: away(services.database))
        monkeypatch.setattr("sqlalchemy.orm.Session.scalar", lambda *_, **__: away(services.database))
        yield client


def test_while_the_database_is_away_clients_are_asked_to_come_back(cut_off):
    for answer in (cut_off.get("/v1/jobs"), cut_off.post("/v1/jobs", json={})):
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        assert answer.headers["content-type"] == "application/problem+json"
    assert cut_off.get("/healthz").status_code == 200
    assert cut_off.get("/readyz").status_code == 503
    assert "saddle_database_up 0.0" in cut_off.get("/metrics").text


def test_the_openapi_document_and_its_page_are_served_from_here(anonymous):
    document = anonymous.get("/openapi.json").json()
    assert document["components"]["schemas"]["TrainingSpecPart"]["properties"]["preset"]["enum"]
    assert "HTTPValidationError" not in document["components"]["schemas"]
    page = anonymous.get("/docs").text
    assert "/docs-files/swagger-ui-bundle.js" in page
    assert "https://" not in page
    assert anonymous.get("/docs-files/swagger-ui-bundle.js").status_code == 200


def test_browsers_are_told_to_be_careful(anonymous):
    headers = anonymous.get("/healthz").headers
    assert headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in headers["content-security-policy"]
