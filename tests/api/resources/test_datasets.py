"""/v1/datasets and their previews, which need no torch."""

import io
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from api.resources.datasets import contents
from models import data
from models.data import catalog, digits, fashion_mnist


@pytest.fixture(autouse=True)
def _nothing_kept():
    for kept in (contents._preview_png, contents._loaded):
        kept.cache_clear()
    yield
    for kept in (contents._preview_png, contents._loaded):
        kept.cache_clear()


def preview(client, name):
    answer = client.get(f"/v1/datasets/{name}/preview.png")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/png"
    return Image.open(io.BytesIO(answer.content))


def test_every_builtin_dataset_is_listed_and_shown(client):
    listed = client.get("/v1/datasets").json()["data"]
    assert [row["id"] for row in listed] == list(catalog.BUILTIN)
    modes = {row["id"]: row["modes"] for row in listed}
    assert modes == {"fashion-mnist": None, "digits": None, "ring": 8, "grid": 25, "stacked-fashion": 1000}
    for row in listed:
        assert client.get(f"/v1/datasets/{row['id']}").json() == row
        if row["modes"]:
            assert len(row["classes"]) == row["modes"]


def test_digits_are_previewed_as_a_grid(client):
    picture = preview(client, "digits")
    assert (picture.size, picture.mode) == ((256, 256), "L")


@pytest.mark.parametrize(("name", "modes"), [("ring", 8), ("grid", 25)])
def test_points_are_previewed_as_separate_clouds(client, name, modes):
    picture = np.asarray(preview(client, name))
    assert picture.shape == (512, 512, 3)
    lit = picture.max(axis=2) > 0
    clouds = 0
    while lit.any():
        row, column = np.argwhere(lit)[0]
        lit[row : row + 40, max(column - 30, 0) : column + 30] = False
        clouds += 1
    assert clouds == modes


def test_a_preview_of_a_dataset_that_is_not_on_this_machine_says_what_to_run(client, tmp_path, monkeypatch):
    monkeypatch.setattr(fashion_mnist, "SYSTEM_FOLDER", tmp_path / "nowhere")
    for path in ("fashion-mnist/preview", "stacked-fashion/preview", "fashion-mnist/images/0"):
        answer = client.get(f"/v1/datasets/{path}.png")
        assert answer.status_code == 409
        assert "python -m models.data.fetch" in answer.json()["detail"]


def test_images_of_a_builtin_dataset_are_shown(client):
    nowhere = Path("/nonexistent")
    train, holdout = (digits.load(folder=nowhere, split=split).images_NCHW for split in ("train", "holdout"))
    for number, image in ((3, train[3]), (1497 + 299, holdout[299])):
        answer = client.get(f"/v1/datasets/digits/images/{number}.png")
        assert (np.asarray(Image.open(io.BytesIO(answer.content))) == image[0]).all()
    for path, reason in (("digits/images/1797", "1,797 images"), ("ring/images/0", "points")):
        refused = client.get(f"/v1/datasets/{path}.png")
        assert (refused.status_code, reason in refused.json()["detail"]) == (404, True)


def test_many_requests_at_once_load_the_images_once(client, monkeypatch):
    loads = []

    def load(*, folder, split):
        loads.append(split)
        time.sleep(0.2)
        return digits.load(folder=folder, split=split)

    monkeypatch.setitem(data.BUILTIN, "digits", load)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: client.get(f"/v1/datasets/digits/images/{number}.png"), range(8)))
    assert [answer.status_code for answer in answers] == [200] * 8
    assert loads == ["train"]


def test_an_unknown_dataset_is_not_found(client):
    for path in ("", "/preview.png", "/images/0.png"):
        answer = client.get(f"/v1/datasets/cats{path}")
        assert answer.status_code == 404
        assert "ring" in answer.json()["detail"]


def test_previews_need_a_key(anonymous):
    assert anonymous.get("/v1/datasets/ring/preview.png").status_code == 401
