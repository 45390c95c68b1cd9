"""Pictures imported in a real browser: chosen or dropped, reported on, deleted."""

from functools import partial

from selenium.webdriver.common.by import By

from tests.api.dashboard.browser.conftest import complaints, needs_chromium
from tests.api.importing import do_import
from tests.conftest import wait_for
from tests.pictures import archive, picture

pytestmark = needs_chromium
DROP = """
const data = new DataTransfer();
data.items.add(new File(["x"], "shoes.tar.gz"));
document.getElementById("drop").dispatchEvent(new DragEvent("drop", { dataTransfer: data, cancelable: true }));
"""


def _is_loaded(image):
    return int(image.get_property("naturalWidth")) > 0


def test_pictures_are_imported_and_deleted(browser, installation, shows, tmp_path):
    members = [(f"{('cats', 'dogs')[seed % 2]}/{seed}.png", picture(seed)) for seed in range(30)]
    path = archive(tmp_path / "pets.zip", [*members, ("cats/broken.png", picture(30)[:150])])
    browser.get(f"{installation.url}/datasets")
    shows("#datasets", "fashion-mnist")
    browser.find_element(By.ID, "file").send_keys(str(path))
    assert browser.find_element(By.ID, "name").get_attribute("value") == "pets"
    browser.find_element(By.ID, "resolution").send_keys("32")
    browser.find_element(By.CSS_SELECTOR, "#upload button").click()
    wait_for(lambda: "/datasets/ds_" in browser.current_url, what="the dataset's page")
    shows("#state", "pets, imported from pets.zip")
    do_import(installation.services, browser.current_url.rpartition("/")[2])
    shows("#state", "27 images to train on, 3 held out")
    shows("main", "cats/broken.png")
    shows("main", "saddle submit --dataset ds_")
    for image in browser.find_elements(By.CSS_SELECTOR, ".pictures img"):
        wait_for(partial(_is_loaded, image), what="the pictures")
    browser.find_element(By.CSS_SELECTOR, "[data-asks=ask-delete]").click()
    browser.find_element(By.CSS_SELECTOR, "#ask-delete button[value=yes]").click()
    wait_for(lambda: browser.current_url == f"{installation.url}/datasets", what="the list")
    assert "pets" not in browser.find_element(By.ID, "datasets").text
    assert complaints(browser) == []


def test_a_file_is_dropped_and_a_bad_one_refused(browser, installation, shows):
    browser.get(f"{installation.url}/datasets")
    browser.execute_script(DROP)
    shows("#chosen", "shoes.tar.gz")
    assert browser.find_element(By.ID, "name").get_attribute("value") == "shoes"
    browser.find_element(By.CSS_SELECTOR, "#upload button").click()
    shows("#fault", "its format is not known; upload a zip or tar archive")
