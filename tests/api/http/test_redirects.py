"""No address is ever made from the Host header: anybody may choose it."""

import pytest

from tests.api.conftest import make_key, sign_in

EVIL = "evil.example"
JOB = f"job_{'0' * 26}"


@pytest.fixture
def database_url(sqlite_url):
    """Nothing here asks the database for more than a key."""
    return sqlite_url


@pytest.mark.parametrize(
    "path",
    [
        "/v1/jobs/",
        f"/v1/jobs/{JOB}/",
        f"/v1/jobs/{JOB}/cancel/",
        "/v1/keys/",
        "/v1/presets/robust/",
        "/healthz/",
        "/login/",
        "/docs/",
        "/openapi.json/",
        f"/jobs/{JOB}/",
        "/static",
        "/docs-files",
        f"//{EVIL}/v1/jobs/",
    ],
)
def test_a_slash_too_many_or_too_few_is_not_found(client, path):
    for method in ("GET", "HEAD", "POST", "PUT", "DELETE"):
        answer = client.request(method, f"http://testserver{path}", headers={"Host": EVIL}, follow_redirects=False)
        assert answer.status_code == 404, method
        assert "location" not in answer.headers, method
        assert answer.headers["content-type"] == "application/problem+json", method
        assert EVIL not in answer.text, method


def test_a_body_for_a_path_with_a_slash_creates_nothing(client):
    assert client.post("/v1/jobs/", json={}, headers={"Host": EVIL}).status_code == 404
    assert client.get("/v1/jobs").json()["data"] == []


def test_every_other_location_is_a_path(anonymous, services):
    host = {"Host": EVIL}
    key = make_key(services)
    made = anonymous.post("/v1/jobs", json={}, headers={"Authorization": f"Bearer {key}", **host})
    locations = [
        made.headers["location"],
        anonymous.get("/", headers=host, follow_redirects=False).headers["location"],
        anonymous.get(f"/jobs/{JOB}?x=//{EVIL}", headers=host, follow_redirects=False).headers["location"],
        sign_in(anonymous, key, **host).headers["location"],
        anonymous.get("/login", headers=host, follow_redirects=False).headers["location"],
        anonymous.post("/logout", headers=host, follow_redirects=False).headers["location"],
    ]
    for location in locations:
        assert location.startswith("/")
        assert not location.startswith("//")
