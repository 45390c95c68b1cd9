"""Buttons in a real browser: cancel, pause, resume, try again, delete."""

from selenium.webdriver.common.by import By

from store import evaluations, jobs, payloads, runs, states
from tests.api.dashboard.browser.conftest import complaints, needs_chromium, points, press, running_job, status_of
from tests.api.measuring import measure
from tests.conftest import wait_for

pytestmark = needs_chromium


def test_cancel_and_delete_ask_first(browser, installation, shows):
    job_id = installation.create(name="shoes")
    browser.get(f"{installation.url}/jobs/{job_id}")

    def answer(dialog: str, value: str) -> None:
        browser.find_element(By.CSS_SELECTOR, f"[data-asks={dialog}]").click()
        browser.find_element(By.CSS_SELECTOR, f"#{dialog} button[value={value}]").click()

    answer("cancel-dialog", "no")
    assert status_of(installation, job_id) == states.QUEUED
    answer("cancel-dialog", "yes")
    shows("#head", "cancelled by the client")
    shows("#head .actions", "Delete")
    answer("delete-dialog", "yes")
    wait_for(lambda: browser.current_url == f"{installation.url}/", what="the list")
    shows("#jobs", "No jobs yet")
    assert complaints(browser) == []


def test_pause_and_resume_are_done_at_a_click(browser, installation, shows):
    job_id = installation.create(name="shoes")
    browser.get(f"{installation.url}/jobs/{job_id}")
    shows("#live", "live")
    browser.execute_script("window.mark = 1")

    press(browser, "Pause")
    shows("#head h1", "paused")
    shows("#head", "paused by the client")
    assert status_of(installation, job_id) == states.PAUSED
    press(browser, "Resume")
    shows("#head h1", "queued")
    installation.start(job_id)
    shows("#head h1", "running")
    press(browser, "Pause")
    shows("#head h1", "pausing")
    assert [button.text for button in browser.find_elements(By.CSS_SELECTOR, "#head button")] == ["Cancel"]
    with installation.services.database.write() as session:
        runs.release(session, job_id=job_id, attempt=1, reason=payloads.Reason("stopped", "asked to"))
    shows("#head h1", "paused")
    assert browser.execute_script("return window.mark") == 1
    assert complaints(browser) == []


def test_a_job_that_is_tried_again_is_followed_again(browser, installation, shows):
    job_id = running_job(installation)
    installation.finish(job_id, states.FAILED, payloads.Reason("worker_lost", "its machine is gone"))
    browser.get(f"{installation.url}/jobs/{job_id}")
    wait_for(lambda: points(browser) == 30, what="the curves")
    assert browser.find_element(By.ID, "live").text == ""

    press(browser, "Try again")
    shows("#head h1", "queued")
    shows("#live", "live")
    with installation.services.database.write() as session:
        assert runs.claim(session, job_id=job_id, owner="test", lease_seconds=600)
        runs.record_tick(
            session, job_id=job_id, attempt=2, images_seen=310_000, seconds_trained=1.0, values={"loss_g": 1.0}
        )
    wait_for(lambda: points(browser) == 31, what="the live tick")
    with installation.services.database.write() as session:
        reason = payloads.Reason("completed", "the images are used up")
        runs.finish(session, job_id=job_id, attempt=2, status=states.SUCCEEDED, reason=reason)
    shows("#head h1", "succeeded")
    assert not browser.execute_script("return document.getElementById('live').textContent")
    assert complaints(browser) == []


def test_an_order_that_comes_too_late_says_why(browser, installation, shows):
    job_id = installation.create(name="shoes")
    browser.get(f"{installation.url}/jobs/{job_id}")
    press(browser, "Pause")
    shows("#head h1", "paused")
    browser.execute_script(
        "window.fetch = ((ask) => (url, how) => how?.method ? ask(url, how) : new Promise(() => {}))(fetch)"
    )
    with installation.services.database.write() as session:
        jobs.resume(session, job_id=job_id, tenant="default")
    press(browser, "Resume")
    shows("#fault", "is queued: only a paused job can be resumed")


def test_a_refused_action_says_why(browser, installation, shows):
    job_id = installation.create(name="shoes")
    installation.start(job_id)
    installation.finish(job_id, states.FAILED, payloads.Reason("out_of_memory", "lower batch_size"))
    browser.get(f"{installation.url}/jobs/{job_id}")
    with installation.services.database.write() as session:
        jobs.delete(session, job_id=job_id, tenant="default")
    browser.find_element(By.CSS_SELECTOR, "[data-asks=delete-dialog]").click()
    browser.find_element(By.CSS_SELECTOR, "#delete-dialog button[value=yes]").click()
    shows("#fault", f"no job {job_id}")


def test_an_evaluation_is_asked_for_and_its_figures_are_shown_with_their_intervals(browser, installation, shows):
    job_id = running_job(installation)
    browser.get(f"{installation.url}/jobs/{job_id}")
    shows("#evaluations", "None yet")
    browser.find_element(By.CSS_SELECTOR, "#evaluations button").click()
    shows("#evaluations tbody", "queued")
    with installation.services.database.read() as session:
        ((row,), _) = evaluations.page(session, tenant="default", limit=2, after=None, subject_job=job_id)
    measure(installation.services, row.id, value=0.0213, low=0.02, high=0.0226, nearest="jobs/job_1/nearest-1")
    shows("#evaluations tbody", "KID 0.0213 0.02 to 0.0226")
    shows("#evaluations tbody", "FID: 300 images are too few")
    shows("#evaluations tbody", "10,000 samples, seed 0, against 300 images (holdout), in the features of imagenet")
    link = browser.find_element(By.LINK_TEXT, "samples nearest to training images")
    assert link.get_attribute("href").endswith(f"/v1/evaluations/{row.id}/nearest.png")
    assert complaints(browser) == []
