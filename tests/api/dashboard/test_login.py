"""Signing in to the pages: keys, sessions, and what other sites cannot do."""

import dataclasses
import html
import re

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.http.access import COOKIE
from store import keys
from tests.api.conftest import make_job, make_key, sign_in

FOREIGN = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}


@pytest.fixture
def database_url(sqlite_url):
    """The pages ask the store, which is tested on both databases."""
    return sqlite_url


@pytest.mark.parametrize("path", ["/", "/?status=failed", "/jobs/job_00000000000000000000000000"])
def test_a_stranger_is_sent_to_the_login_and_from_there_back(anonymous, services, path):
    sent = anonymous.get(path, follow_redirects=False)
    assert sent.status_code == 303
    form = anonymous.get(sent.headers["location"])
    assert form.status_code == 200
    (value,) = re.findall(r'name="next" value="([^"]*)"', form.text)
    target = html.unescape(value)
    assert target == path
    assert sign_in(anonymous, make_key(services), to=target).headers["location"] == path


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(anonymous, services):
    cookie = sign_in(anonymous, make_key(services)).headers["set-cookie"].lower()
    assert cookie.startswith(COOKIE)
    for part in ("httponly", "samesite=strict", "path=/", f"max-age={keys.SESSION_SECONDS}"):
        assert part in cookie
    assert "secure" not in cookie


def test_over_https_the_cookie_is_for_https_alone(services):
    with TestClient(create_app(services), base_url="https://testserver") as client:
        assert "secure" in sign_in(client, make_key(services)).headers["set-cookie"].lower()


@pytest.mark.parametrize("key", ["", "sk_wrong", "\0", "ключ"])
def test_a_wrong_key_is_told_and_where_the_right_one_lies(anonymous, tmp_path, key):
    answer = sign_in(anonymous, key)
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert "not valid" in answer.text
    assert "api-key" in answer.text
    assert str(tmp_path) not in answer.text
    assert not key.startswith("sk_") or key not in answer.text


def test_a_revoked_key_ends_its_sessions_and_opens_no_new_one(anonymous, services):
    make_key(services)
    with services.database.write() as session:
        row, secret = keys.create(session, tenant="default", name="gone", role="write")
    sign_in(anonymous, secret)
    assert anonymous.get("/", follow_redirects=False).status_code == 200
    with services.database.write() as session:
        keys.revoke(session, key_id=row.id)
    assert anonymous.get("/", follow_redirects=False).status_code == 303
    assert sign_in(anonymous, secret).status_code == 401


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "javascript:alert(1)",
        "",
        "jobs",
        "/jobs/\r\nSet-Cookie: x=y",
    ],
)
def test_the_login_leads_to_no_other_site(anonymous, services, target):
    assert sign_in(anonymous, make_key(services), to=target).headers["location"] == "/"
    assert anonymous.get("/login", params={"next": target}, follow_redirects=False).headers["location"] == "/"


def test_another_site_cannot_sign_a_browser_in_or_out(browser, services):
    assert sign_in(browser, make_key(services), **FOREIGN).status_code == 403
    assert browser.post("/logout", headers=FOREIGN).status_code == 403
    assert browser.get("/", follow_redirects=False).status_code == 200


def test_another_site_cannot_use_the_cookie_to_change_anything(browser, services):
    job_id = make_job(services)
    assert browser.post(f"/v1/jobs/{job_id}/cancel", headers=FOREIGN).status_code == 403
    assert browser.post(f"/v1/jobs/{job_id}/cancel", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 200


def test_signing_out_ends_the_session_and_not_only_the_cookie(browser):
    token = browser.cookies[COOKIE]
    answer = browser.post("/logout", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert COOKIE not in browser.cookies
    browser.cookies.set(COOKIE, token)
    assert browser.get("/", follow_redirects=False).status_code == 303


def test_guessing_keys_at_the_login_locks_the_address_out(anonymous, services):
    for number in range(30):
        assert sign_in(anonymous, f"sk_{number}").status_code == 401
    answer = sign_in(anonymous, make_key(services))
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
    assert answer.headers["content-type"].startswith("text/html")


def test_without_keys_nobody_signs_in(settings, services):
    opened = dataclasses.replace(services, settings=settings.model_copy(update={"auth": "none"}))
    with TestClient(create_app(opened)) as client:
        page = client.get("/", follow_redirects=False)
        assert page.status_code == 200
        assert "Sign out" not in page.text
        assert "Authorization" not in page.text
        assert client.get("/login", follow_redirects=False).headers["location"] == "/"
        assert sign_in(client, "").status_code == 303


@pytest.mark.parametrize(
    ("body", "media_type", "status"),
    [
        (b"key=" + b"x" * 20_000, "application/x-www-form-urlencoded", 413),
        (b'{"key": "x"}', "application/json", 415),
        ("key=ü".encode(), "application/x-www-form-urlencoded", 400),
        (b"&".join(b"a%d=1" % n for n in range(50)), "application/x-www-form-urlencoded", 400),
    ],
)
def test_a_form_that_is_none_is_refused(anonymous, body, media_type, status):
    answer = anonymous.post("/login", content=body, headers={"Content-Type": media_type})
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
