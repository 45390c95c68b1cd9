"""The dashboard in a real browser: what its scripts do, and that they keep to this host and to the policy."""

import json
import shutil
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from embedded.redis import free_port
from store import jobs, runs, states
from tests.api.dashboard_fixtures import Installation, serving
from tests.conftest import wait_for

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no chromium with its chromedriver is installed")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--window-size=1280,1000",
)
LOSSES = "//section[h3='Losses']"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def installation(tmp_path, sqlite_url, redis_url) -> Iterator[Installation]:
    with serving(tmp_path, database_url=sqlite_url, redis_url=redis_url, port=free_port()) as found:
        yield found


@pytest.fixture
def browser(chromium, installation) -> Iterator[webdriver.Chrome]:
    """Signed in, on the list; its logs begin here."""
    chromium.delete_all_cookies()
    sign_in(chromium, installation)
    for kind in ("browser", "performance"):
        chromium.get_log(kind)
    yield chromium
    chromium.get("about:blank")  # lets go of the stream


def sign_in(browser, installation):
    browser.get(f"{installation.url}/")
    browser.find_element(By.ID, "key").send_keys(installation.key, Keys.ENTER)
    # Enter does not wait for the answer, and the next address would overtake it.
    wait_for(lambda: browser.find_elements(By.ID, "jobs"), what="the list")


@pytest.fixture
def shows(browser):
    """Waits until an element's text, or a script's value, holds what is asked for."""

    def wait(selector: str, text: str) -> None:
        def there() -> bool:
            found = browser.execute_script("return document.querySelector(arguments[0])?.textContent ?? ''", selector)
            return text in " ".join(found.split())

        wait_for(there, seconds=20, what=f"{text!r} in {selector}")

    return wait


def running_job(installation, **wishes):
    job_id = installation.create(name="shoes", **wishes)
    installation.start(job_id)
    for number in range(1, 31):
        installation.tick(job_id, number * 10_000)
    installation.tell(job_id, "evaluation", 300_000, fid=12.5, precision=0.8, recall=0.4)
    installation.save(job_id, 300_000, quality={"fid": 12.5})
    return job_id


def points(browser):
    """How many points the chart of the losses has."""
    script = "return document.evaluate(arguments[0], document, null, 9).singleNodeValue?.data?.[0].x.length ?? 0"
    return browser.execute_script(script, f"{LOSSES}/div")


def complaints(browser):
    return [entry["message"] for entry in browser.get_log("browser") if entry["level"] in {"SEVERE", "WARNING"}]


def press(browser, label):
    browser.find_element(By.XPATH, f"//*[@id='head']//button[.='{label}']").click()


def status_of(installation, job_id):
    with installation.services.database.read() as session:
        return jobs.get(session, job_id=job_id, tenant="default").status


def hosts_asked(browser):
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = [told["params"]["request"]["url"] for told in messages if told["method"] == "Network.requestWillBeSent"]
    return {urlsplit(url).hostname for url in urls if urlsplit(url).scheme in {"http", "https", "ws", "wss"}}


def test_from_the_list_to_a_living_job(browser, installation, shows):
    job_id = running_job(installation)
    browser.get(f"{installation.url}/")
    browser.find_element(By.LINK_TEXT, "shoes").click()
    wait_for(lambda: points(browser) == 30, what="the curves")
    titles = [title.text for title in browser.find_elements(By.CSS_SELECTOR, ".panel h3")]
    assert titles[:4] == ["Losses", "Logits", "Fréchet distance", "Images per second"]
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
    installation.finish(job_id, states.SUCCEEDED, states.Reason("completed", "the images are used up"))
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
        runs.give_back(session, job_id=job_id, attempt=1, reason=states.Reason("stopped", "asked to"))
    shows("#head h1", "paused")
    assert browser.execute_script("return window.mark") == 1
    assert complaints(browser) == []


def test_a_job_that_is_tried_again_is_followed_again(browser, installation, shows):
    job_id = running_job(installation)
    installation.finish(job_id, states.FAILED, states.Reason("worker_lost", "its machine is gone"))
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
        reason = states.Reason("completed", "the images are used up")
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
    installation.finish(job_id, states.FAILED, states.Reason("out_of_memory", "lower batch_size"))
    browser.get(f"{installation.url}/jobs/{job_id}")
    with installation.services.database.write() as session:
        jobs.delete(session, job_id=job_id, tenant="default")
    browser.find_element(By.CSS_SELECTOR, "[data-asks=delete-dialog]").click()
    browser.find_element(By.CSS_SELECTOR, "#delete-dialog button[value=yes]").click()
    shows("#fault", f"no job {job_id}")


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
