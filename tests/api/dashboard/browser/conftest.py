"""Chromium on a served installation, and what a person does and sees there."""

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
from store import jobs
from tests.api.dashboard.fixtures import Installation, serving
from tests.conftest import wait_for

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
# `make test` installs both where it may; elsewhere, as on a laptop without root, the rest of the suite must still run.
needs_chromium = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no chromium with its chromedriver is installed")
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
    assert CHROMIUM is not None
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
    """Return a browser that is signed in and shows the list. Its logs begin here."""
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
    """Return a function that waits until an element's text, or a script's value, holds what is asked for."""

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
    installation.tell(job_id, "evaluation", 300_000, fid=12.5, kid=0.01, precision=0.8, recall=0.4, kl=0.1)
    installation.save(job_id, 300_000, quality={"fid": 12.5})
    return job_id


def points(browser):
    """Return a function that counts the points in the chart of the losses."""
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
