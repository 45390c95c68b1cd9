"""The pages as the server sends them."""

import dataclasses
import html
import json
import re

import pytest
from starlette.testclient import TestClient

from api.access import COOKIE
from api.app import create_app
from api.dashboard import formats, highlighting
from api.dashboard.assets import PLOTLY_URL
from models import presets
from store import jobs, keys, workers
from store.database import Database
from store.queue import Queue
from tests.api.conftest import make_key
from tests.api.test_jobs import post

FOREIGN = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}


@pytest.fixture
def database_url(sqlite_url):
    """The pages ask the store, which is tested on both databases."""
    return sqlite_url


@pytest.fixture
def browser(anonymous, services):
    """Signed in as an admin, with nothing but the cookie."""
    assert sign_in(anonymous, make_key(services)).status_code == 303
    return anonymous


def sign_in(client, key, *, to="/", **headers):
    return client.post("/login", data={"key": key, "next": to}, headers=headers, follow_redirects=False)


def make_job(services, **wishes):
    """As another client would, with a key of its own."""
    with TestClient(create_app(services)) as client:
        client.headers["Authorization"] = f"Bearer {make_key(services, tenant=wishes.pop('tenant', 'default'))}"
        return post(client, **wishes)["id"]


# Login


@pytest.mark.parametrize("path", ["/", "/?status=failed", "/jobs/job_00000000000000000000000000"])
def test_a_stranger_is_sent_to_the_login_and_from_there_back(anonymous, services, path):
    sent = anonymous.get(path, follow_redirects=False)
    assert sent.status_code == 303
    form = anonymous.get(sent.headers["location"])
    assert form.status_code == 200
    target = html.unescape(re.search(r'name="next" value="([^"]*)"', form.text)[1])
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


# The list


def test_an_empty_list_says_how_to_begin(browser):
    page = browser.get("/").text
    assert "saddle submit" in page
    assert "curl http://testserver/v1/jobs" in page


def test_the_list_shows_the_tenants_jobs_newest_first(browser, services):
    make_job(services, name="elder")
    make_job(services, name="not-theirs", tenant="others")
    make_job(services, name="younger", preset="article", dataset={"name": "digits"})
    page = browser.get("/").text
    assert page.index("younger") < page.index("elder")
    assert "not-theirs" not in page
    for text in ("article", "digits", "robust", "fashion-mnist", 'data-status="queued"'):
        assert text in page


def test_the_list_shows_how_a_job_gets_on(browser, services, runner):
    job_id = make_job(services, budget={"images": 1_000_000})
    runner.start(job_id)
    runner.tick(job_id, 256_000, images_per_second=8000.0)
    runner.save(job_id, 256_000, fid=8.4)
    page = browser.get("/").text
    for text in ("25.6 %", "8,000", "1 min 33 s", "8.40", 'value="0.256"'):
        assert text in page


def test_the_list_is_filtered_and_paged(browser, services):
    with services.database.write() as session:
        for number in range(30):
            job = jobs.create(session, new=_new(f"number-{number:02d}"))
    with services.database.write() as session:
        jobs.cancel(session, job_id=job.id, tenant="default")
    assert re.findall(r"number-\d\d(?=<)", browser.get("/?status=cancelled").text) == ["number-29"]
    first = browser.get("/?status=queued").text
    older = html.unescape(re.search(r'href="([^"]*)" rel="next"', first)[1])
    second = browser.get(older).text
    names = re.findall(r"number-\d\d(?=<)", first) + re.findall(r"number-\d\d(?=<)", second)
    assert names == [f"number-{number:02d}" for number in reversed(range(29))]
    assert 'rel="next"' not in second


def test_a_forged_page_or_status_is_refused_with_a_page(browser):
    for query in ("after=x", "status=nonsense", "after=%00"):
        answer = browser.get(f"/?{query}")
        assert answer.status_code == 422
        assert answer.headers["content-type"].startswith("text/html")


def test_the_list_says_what_keeps_jobs_from_running(browser, services):
    assert "No worker was seen" in browser.get("/").text
    with services.database.write() as session:
        workers.beat(session, worker_id="w", host="h", pid=1, device="cuda")
    page = browser.get("/").text
    assert "Ready" in page
    assert "1 cuda worker" in page


# A job


def test_a_job_page_shows_progress_checkpoints_events_and_spec(browser, services, runner):
    job_id = make_job(services, name="shoes", budget={"images": 1_000_000})
    runner.start(job_id)
    runner.tick(job_id, 256_000, images_per_second=8000.0)
    best, latest = runner.save(job_id, 200_000, fid=8.4), runner.save(job_id, 256_000)
    page = browser.get(f"/jobs/{job_id}").text
    for checkpoint in (best, latest):
        assert f"/v1/jobs/{job_id}/checkpoints/{checkpoint}/generator.safetensors" in page
    for text in ("shoes", "25.6 %", "256,000", "8.40", "Download generator", '<span class="json-key">'):
        assert text in page
    told = re.findall(r'data-type="(\w+)"', page)
    assert told == ["checkpoint", "checkpoint", "state", "state"]


@pytest.mark.parametrize("status", ["failed", "diverged"])
def test_why_a_job_failed_is_said_out_loud(browser, services, runner, status):
    job_id = make_job(services)
    runner.start(job_id)
    with services.database.write() as session:
        reason = jobs.Reason("out_of_memory", "lower batch_size")
        jobs.finish(session, job_id=job_id, attempt=1, status=status, reason=reason)
    page = browser.get(f"/jobs/{job_id}").text
    notice = re.search(r'<p class="notice bad" role="alert">(.*?)</p>', page, re.DOTALL)[1]
    assert "out of memory" in notice
    assert "lower batch_size" in notice


def test_buttons_are_those_that_the_state_and_the_role_allow(anonymous, services):
    job_id = make_job(services)
    buttons = {}
    for role in ("read", "write"):
        sign_in(anonymous, make_key(services, role=role))
        buttons[role] = re.findall(r'data-asks="(\w+)-dialog"', anonymous.get(f"/jobs/{job_id}").text)
    assert buttons == {"read": [], "write": ["cancel"]}
    assert anonymous.post(f"/v1/jobs/{job_id}/cancel").status_code == 200
    assert re.findall(r'data-asks="(\w+)-dialog"', anonymous.get(f"/jobs/{job_id}").text) == ["delete"]


def test_an_absent_and_another_tenants_job_are_the_same_404_page(browser, services):
    pages = []
    for job_id in (make_job(services, tenant="others"), "job_00000000000000000000000000", "job_1", "%00", "<b>"):
        answer = browser.get(f"/jobs/{job_id}")
        assert answer.status_code == 404
        assert answer.headers["content-type"].startswith("text/html")
        assert "To the jobs" in answer.text
        pages.append(answer.text.replace(job_id, ""))
    assert pages[0] == pages[1]


# What the pages are made of


def test_a_name_full_of_markup_is_inert(browser, services, runner):
    nasty = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
    job_id = make_job(services, name=nasty, metadata={"</script><script>": "</code><script>"})
    runner.start(job_id)
    with services.database.write() as session:
        jobs.record_event(
            session, job_id=job_id, attempt=1, kind="log", images_seen=0, data={"message": f"{nasty}</script>"}
        )
        evaluated = {"fid": 1.0, "</script>": "</script><script>alert(1)"}
        jobs.record_event(session, job_id=job_id, attempt=1, kind="evaluation", images_seen=0, data=evaluated)
    for path in ("/", f"/jobs/{job_id}"):
        page = browser.get(path).text
        assert html.escape(nasty, quote=True).replace("&quot;", "&#34;") in page
        assert "<img src=x" not in page
        scripts = re.findall(r"<script[^>]*>", page)
        assert all(' src="/' in script or 'type="application/json"' in script for script in scripts)
        assert page.count("</script>") == len(scripts)


def test_pages_are_neither_stored_nor_scripted_from_within(browser, services):
    for path in ("/", f"/jobs/{make_job(services)}", "/jobs/none"):
        answer = browser.get(path)
        assert answer.headers["cache-control"] == "no-store"
        policy = answer.headers["content-security-policy"]
        assert "script-src 'self';" in policy
        assert not re.search(r"\son\w+=|javascript:", answer.text)
        assert not re.search(r"""(?:src|href)=["'](?!/|#)""", answer.text)


def test_everything_that_a_page_loads_is_there(browser, services):
    page = browser.get("/login?next=/").text + browser.get(f"/jobs/{make_job(services)}").text + browser.get("/").text
    loaded = set(re.findall(r'(?:src|href)="(/(?:static|assets)/[^"]*)"', page))
    assert PLOTLY_URL in loaded
    for path in loaded:
        answer = browser.get(path)
        assert answer.status_code == 200
        assert answer.headers["content-type"].partition(";")[0] in {"text/css", "text/javascript", "image/svg+xml"}


def test_plotly_is_kept_by_the_browser_and_the_rest_revalidated(anonymous):
    plain = anonymous.get(PLOTLY_URL, headers={"Accept-Encoding": "identity"})
    packed = anonymous.get(PLOTLY_URL, headers={"Accept-Encoding": "gzip"})
    assert "immutable" in plain.headers["cache-control"]
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert plain.content == packed.content
    first = anonymous.get("/static/job.js")
    assert first.headers["cache-control"] == "no-cache"
    again = anonymous.get("/static/job.js", headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304


def test_the_static_folder_is_all_that_is_served(anonymous):
    for path in ("/static/../pages.py", "/static/%2e%2e/login.py", "/static/", "/assets/x"):
        assert anonymous.get(path).status_code == 404


def test_while_the_database_is_away_a_page_says_so(services, settings):
    queue = Queue(settings.redis)
    gone = Database(f"sqlite:///{settings.data_dir / 'no-tables.db'}", deliver=queue.deliver)
    with TestClient(create_app(dataclasses.replace(services, database=gone)), raise_server_exceptions=False) as client:
        answer = client.get("/", cookies={COOKIE: "x"})
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert "database is away" in answer.text
    gone.close()
    queue.close()


# Formats


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (formats.percent(0.0), "0.0 %"),
        (formats.percent(0.9999), "99.9 %"),
        (formats.percent(1.0), "100.0 %"),
        (formats.duration(None), "–"),
        (formats.duration(59.4), "59 s"),
        (formats.duration(59.6), "1 min 00 s"),
        (formats.duration(3 * 3600 + 300), "3 h 05 min"),
        (formats.duration(90_000), "1 d 1 h"),
        (formats.rate(9812.6), "9,813"),
        (formats.rate(9.81), "9.8"),
        (formats.size(999), "999 B"),
        (formats.size(7_654_321), "7.7 MB"),
        (formats.size(2_500_000_000), "2.5 GB"),
    ],
)
def test_numbers_are_written_as_people_read_them(written, expected):
    assert written == expected


def test_highlighted_json_keeps_its_text():
    value = {"a": [1, -2.5e-07, True], "<b>": 'quo"te: [\n 1 ]\\', "c": {"d": None}, "e": [{"f": []}]}
    shown = html.unescape(re.sub(r"</?span[^>]*>", "", str(highlighting.json_html(value))))
    assert json.loads(shown) == value
    assert "[1, -2.5e-07, true]" in shown


def _new(name):
    spec = presets.resolve({"name": name})
    return jobs.NewJob(
        tenant="default",
        name=name,
        dataset=spec.dataset.name,
        spec=spec.model_dump(mode="json"),
        labels={},
        images_total=spec.budget.images,
        seconds_total=None,
        keep_latest=2,
        keep_best=1,
    )


def test_figures_are_called_as_people_call_them() -> None:
    names = ("fid", "kl", "high_quality", "precision")
    assert [formats.figure(name) for name in names] == ["FID", "KL", "high quality", "precision"]
