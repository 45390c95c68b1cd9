"""The pages as the server sends them: the list, a job, and their files."""

import dataclasses
import html
import re
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.dashboard.assets import PLOTLY_URL
from api.http.access import COOKIE
from models import presets
from store import jobs, payloads, runs, states, workers
from store.database import Database
from store.queue import Queue
from tests.api.conftest import make_job, make_key, sign_in

BUTTON = re.compile(r'<button type="button"[^>]*>([^<]*)</button>')


@pytest.fixture
def database_url(sqlite_url):
    """The pages ask the store, which is tested on both databases."""
    return sqlite_url


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
    for text in ("25.6 %", "8,000", "1 min 33 s", ">FID</abbr>", "8.4", 'value="0.256"'):
        assert text in page


def test_the_list_is_filtered_and_paged(browser, services):
    with services.database.write() as session:
        for number in range(30):
            job = jobs.create(session, new=_new(f"number-{number:02d}"))
    with services.database.write() as session:
        jobs.cancel(session, job_id=job.id, tenant="default")
    assert re.findall(r"number-\d\d(?=<)", browser.get("/?status=cancelled").text) == ["number-29"]
    first = browser.get("/?status=queued").text
    (older,) = re.findall(r'href="([^"]*)" rel="next"', first)
    second = browser.get(html.unescape(older)).text
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
    for text in ("shoes", "25.6 %", "256,000", "8.4", "Download generator", '<span class="json-key">'):
        assert text in page
    told = re.findall(r'data-type="(\w+)"', page)
    assert told == ["checkpoint", "checkpoint", "state", "state"]


@pytest.mark.parametrize("status", ["failed", "diverged"])
def test_why_a_job_failed_is_said_out_loud(browser, services, runner, status):
    job_id = make_job(services)
    runner.start(job_id)
    with services.database.write() as session:
        reason = payloads.Reason("out_of_memory", "lower batch_size")
        runs.finish(session, job_id=job_id, attempt=1, status=status, reason=reason)
    page = browser.get(f"/jobs/{job_id}").text
    (notice,) = re.findall(r'<p class="notice bad" role="alert">(.*?)</p>', page, re.DOTALL)
    assert "out of memory" in notice
    assert "lower batch_size" in notice


def test_buttons_are_those_that_the_state_and_the_role_allow(anonymous, services):
    job_id = make_job(services)
    buttons = {}
    for role in ("read", "write"):
        sign_in(anonymous, make_key(services, role=role))
        buttons[role] = BUTTON.findall(anonymous.get(f"/jobs/{job_id}").text)
    assert buttons == {"read": [], "write": ["Pause", "Cancel"]}


@pytest.mark.parametrize(
    ("state", "buttons"),
    [
        ("queued", ["Pause", "Cancel"]),
        ("running", ["Pause", "Cancel"]),
        ("pausing", ["Cancel"]),
        ("paused", ["Resume", "Cancel"]),
        ("cancelling", []),
        ("succeeded", ["Delete"]),
        ("failed", ["Try again", "Delete"]),
        ("diverged", ["Try again", "Delete"]),
        ("cancelled", ["Delete"]),
    ],
)
def test_each_state_has_its_badge_and_its_buttons(browser, services, runner, state, buttons):
    job_id = make_job(services)
    if state in {"running", "pausing", "cancelling", "succeeded", "failed", "diverged"}:
        runner.start(job_id)
    if state in {"pausing", "paused"}:
        assert browser.post(f"/v1/jobs/{job_id}/pause").json()["status"] == state
    if state in {"cancelling", "cancelled"}:
        assert browser.post(f"/v1/jobs/{job_id}/cancel").json()["status"] == state
    if state in {"succeeded", "failed", "diverged"}:
        runner.end(job_id, state)
    page = browser.get(f"/jobs/{job_id}").text
    assert BUTTON.findall(page) == buttons
    assert f'<span class="badge" data-status="{state}">{state}</span>' in page
    assert f'<span class="badge" data-status="{state}">{state}</span>' in browser.get(f"/?status={state}").text


def test_what_needs_no_question_is_sent_to_its_route_and_the_rest_asks(browser, services, runner):
    job_id = make_job(services)
    page = browser.get(f"/jobs/{job_id}").text
    assert f'data-method="POST" data-url="/v1/jobs/{job_id}/pause"' in page
    assert re.findall(r'data-asks="(\w+)-dialog"', page) == ["cancel"]
    browser.post(f"/v1/jobs/{job_id}/pause")
    assert f'data-url="/v1/jobs/{job_id}/resume"' in browser.get(f"/jobs/{job_id}").text
    failed = make_job(services)
    runner.start(failed)
    runner.end(failed, "failed")
    assert f'data-url="/v1/jobs/{failed}/retry"' in browser.get(f"/jobs/{failed}").text


def test_the_list_offers_every_state(browser):
    assert re.findall(r'href="/\?status=(\w+)"', browser.get("/").text) == list(states.STATUSES)


def test_a_fork_says_where_it_comes_from_and_links_to_its_parent(browser, services, runner):
    parent = make_job(services, name="<shoes>")
    assert "forked from" not in browser.get(f"/jobs/{parent}").text
    runner.start(parent)
    checkpoint = runner.save(parent, 100)
    child = browser.post(f"/v1/jobs/{parent}/fork", json={"spec": {"name": "gentler"}}).json()["id"]
    page = browser.get(f"/jobs/{child}").text
    (line,) = re.findall(r'<p class="faint">(forked from.*?)</p>', page, re.DOTALL)
    code = f'<code title="{checkpoint}">…{checkpoint[-8:]}</code>'
    assert " ".join(line.split()) == f'forked from <a href="/jobs/{parent}">&lt;shoes&gt;</a>, checkpoint {code}'
    runner.end(parent)
    assert browser.delete(f"/v1/jobs/{parent}").status_code == 204
    page = browser.get(f"/jobs/{child}").text
    (line,) = re.findall(r'<p class="faint">(forked from.*?)</p>', page, re.DOTALL)
    assert " ".join(line.split()) == f"forked from <code>{parent}</code> (deleted since), checkpoint {code}"


def test_pinned_checkpoints_are_marked(browser, services, runner):
    job_id = make_job(services)
    runner.start(job_id)
    older, newer = runner.save(job_id, 100), runner.save(job_id, 200)
    browser.put(f"/v1/jobs/{job_id}/checkpoints/{older}/pin")
    rows = re.findall(r'<tr data-key="(\w+)">(.*?)</tr>', browser.get(f"/jobs/{job_id}").text, re.DOTALL)
    assert {key: ">pinned<" in row for key, row in rows} == {older: True, newer: False}


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
        message = payloads.Message(f"{nasty}</script>")
        runs.record_event(session, job_id=job_id, attempt=1, kind="log", images_seen=0, data=message)
        evaluated: Any = {"fid": 1.0, "</script>": "</script><script>alert(1)"}
        runs.record_event(session, job_id=job_id, attempt=1, kind="evaluation", images_seen=0, data=evaluated)
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
    for known in (first.headers["etag"], f'"other", W/{first.headers["etag"]}', "*"):
        assert anonymous.get("/static/job.js", headers={"If-None-Match": known}).status_code == 304


def test_the_static_folder_is_all_that_is_served(anonymous):
    for path in ("/static/../pages.py", "/static/%2e%2e/login.py", "/static/", "/assets/x"):
        assert anonymous.get(path).status_code == 404


def test_while_the_database_is_away_a_page_says_so(services, settings):
    queue = Queue(settings.redis)
    gone = Database(f"sqlite:///{settings.data_dir}", deliver=queue.deliver)  # a folder, which SQLite cannot open
    with TestClient(create_app(dataclasses.replace(services, database=gone)), raise_server_exceptions=False) as client:
        answer = client.get("/", cookies={COOKIE: "x"})
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert "database is away" in answer.text
    gone.close()
    queue.close()


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
        max_attempts=spec.max_attempts,
        max_seconds=spec.max_seconds,
    )
