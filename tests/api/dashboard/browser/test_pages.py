"""The dashboard in a real browser: what its scripts do, and that they keep to this host and to the policy."""

import pytest
from selenium.webdriver.common.by import By

from embedded.redis import free_port
from store import payloads, runs, states
from tests.api.dashboard.browser.conftest import (
    LOSSES,
    complaints,
    hosts_asked,
    needs_chromium,
    points,
    running_job,
    sign_in,
)
from tests.api.dashboard.fixtures import serving
from tests.conftest import wait_for

pytestmark = needs_chromium


def test_from_the_list_to_a_living_job(browser, installation, shows):
    job_id = running_job(installation)
    browser.get(f"{installation.url}/")
    browser.find_element(By.LINK_TEXT, "shoes").click()
    wait_for(lambda: points(browser) == 30, what="the curves")
    titles = [title.text for title in browser.find_elements(By.CSS_SELECTOR, ".panel h3")]
    assert titles[:6] == ["Losses", "Logits", "KID", "FID", "Precision and recall", "Speed (images/s)"]
    assert titles[-1] == "KL", "a figure of evaluations that shares its name with one of training"
    assert len(browser.find_elements(By.CSS_SELECTOR, ".panel .main-svg .scatterlayer")) >= len(titles)
    shows("#samples figcaption", "300,000 images seen")
    assert browser.execute_script("return document.querySelector('#samples img').naturalWidth") == 8 * 28

    # From here on nothing is loaded again: the mark would be gone.
    browser.execute_script("window.mark = 1")
    shows("#live", "live")
    installation.tick(job_id, 310_000)
    wait_for(lambda: points(browser) == 31, what="the live tick")
    shows("#progress", "310,000 of 2,000,000")
    installation.tell(job_id, "guard", 315_000, detector="loss_explosion", remedy="roll_back", details={})
    shows("#events li:first-child", "loss explosion")
    checkpoint = installation.save(job_id, 320_000)
    shows("#samples figcaption", f"{checkpoint} · 320,000 images seen")
    shows("#checkpoints tbody", "320,000")
    installation.finish(job_id, states.SUCCEEDED, payloads.Reason("completed", "the images are used up"))
    shows("#head", "succeeded")
    shows("#head", "Delete")
    assert browser.execute_script("return window.mark") == 1

    assert complaints(browser) == []
    assert hosts_asked(browser) == {"127.0.0.1"}


def test_ground_gone_over_again_after_a_rollback_is_drawn_anew(browser, installation, shows):
    job_id = running_job(installation)
    browser.get(f"{installation.url}/jobs/{job_id}")
    wait_for(lambda: points(browser) == 30, what="the curves")
    shows("#live", "live")
    installation.tell(job_id, "guard", 300_000, detector="loss_explosion", remedy="roll_back", details={})
    with installation.services.database.write() as session:
        runs.record_tick(
            session, job_id=job_id, attempt=1, images_seen=290_000, seconds_trained=1.0, values={"loss_g": 77.0}
        )
    installation.tick(job_id, 310_000)
    script = "return document.evaluate(arguments[0], document, null, 9).singleNodeValue.data[0].y"
    wait_for(lambda: 77.0 in browser.execute_script(script, f"{LOSSES}/div"), what="the overwritten tick")
    assert points(browser) == 31


def test_the_list_is_brought_up_to_date_in_place(browser, installation, shows):
    job_id = installation.create(name="shoes")
    installation.start(job_id)
    browser.get(f"{installation.url}/")
    browser.execute_script("document.querySelector('tbody tr').mark = 1; document.querySelector('a.job').focus()")
    installation.tick(job_id, 512_000)
    shows("tbody tr", "25.6 %")
    newer = installation.create(name="newer")
    shows("tbody tr:first-child", "newer")
    kept = browser.execute_script(
        "return [document.querySelector(`[data-key=${arguments[0]}]`).mark, document.activeElement.textContent,"
        " document.querySelector(`[data-key=${arguments[1]}]`).mark]",
        job_id,
        newer,
    )
    assert kept == [1, "shoes", None]
    assert complaints(browser) == []


def test_a_name_full_of_markup_runs_nothing(browser, installation, shows):
    nasty = "<script>window.stung = 1</script><img src=x onerror='window.stung = 1'>"
    job_id = installation.create(name=nasty)
    installation.start(job_id)
    browser.get(f"{installation.url}/jobs/{job_id}")
    shows("#live", "live")
    installation.tell(job_id, "log", 0, message=nasty)
    shows("#events li:first-child", nasty)
    assert nasty in browser.title
    assert browser.execute_script("return window.stung") is None
    assert complaints(browser) == []


def test_a_restart_of_the_server_loses_no_point(chromium, tmp_path, sqlite_url, redis_url):
    chromium.delete_all_cookies()
    port = free_port()
    with serving(tmp_path, database_url=sqlite_url, redis_url=redis_url, port=port) as before:
        job_id = running_job(before)
        sign_in(chromium, before)
        chromium.get(f"{before.url}/jobs/{job_id}")
        live = "return document.getElementById('live').dataset.state"
        wait_for(lambda: chromium.execute_script(live) == "live", what="the stream")
    with serving(tmp_path, database_url=sqlite_url, redis_url=redis_url, port=port) as after:
        for number in range(31, 41):
            after.tick(job_id, number * 10_000)
        wait_for(lambda: points(chromium) == 40, seconds=60, what="the missed ticks")
    chromium.get("about:blank")


@pytest.mark.parametrize("width", [390, 768])
def test_no_page_is_wider_than_a_phone(browser, installation, shows, width):
    job_id = running_job(installation)
    try:
        metrics = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": True}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        for path in ("/", f"/jobs/{job_id}", "/jobs/none"):
            browser.get(installation.url + path)
            if path.endswith(job_id):
                shows("#samples figcaption", "300,000 images seen")
            assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
