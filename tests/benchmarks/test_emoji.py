"""The emoji that `make emoji` draws: what is taken of a package, and how it is drawn."""

import hashlib
import io
import json
import tarfile
import urllib.request
import zipfile
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmarks import emoji

CIRCLE = '<circle cx="8" cy="8" r="4" fill="#f00"/>'


def package(**changes):
    files: dict[str, Any] = {
        "icons": {"icons": {"sun": {"body": CIRCLE}, "wide": {"body": CIRCLE, "width": 32}, "logo": {"body": CIRCLE}}},
        "chars": {"2600": "sun", "1f31e": "sunny", "2b1b": "wide", "e000": "logo"},
        "metadata": {"categories": {"Travel & Places": ["sun", "wide"], "Brands": ["logo"]}},
    }
    files["icons"]["aliases"] = {"sunny": {"parent": "sun"}}
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as file:
        for name, data in (files | changes).items():
            member = tarfile.TarInfo(f"package/{name}.json")
            body = json.dumps(data).encode()
            member.size = len(body)
            file.addfile(member, io.BytesIO(body))
    return content.getvalue()


def test_an_emoji_is_taken_once_and_only_of_unicodes_groups():
    found = {one.code_points: one.group for one in emoji.drawings(package())}
    assert found == {"1f31e": "places", "2b1b": "places"}


def test_an_emoji_is_drawn_on_white_in_the_middle():
    for one in emoji.drawings(package()):
        pixels = np.asarray(Image.open(io.BytesIO(emoji.render(one))).convert("RGB"))
        assert pixels.shape == (64, 64, 3)
        assert pixels[0, 0].tolist() == [255, 255, 255]
        assert (pixels == [255, 0, 0]).all(2).any()


def test_an_archive_is_the_same_each_time(tmp_path):
    for name in ("a.zip", "b.zip"):
        emoji.write(tmp_path / name, {"places/1.png": b"one", "food/2.png": b"two"})
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip") as file:
        assert file.namelist() == ["food/2.png", "places/1.png"]


def test_another_package_than_the_pinned_one_is_refused(monkeypatch):
    content = package()
    monkeypatch.setattr(urllib.request, "urlopen", lambda address, timeout: io.BytesIO(content))
    design = emoji.Design("x", "x", "1", hashlib.sha256(content).hexdigest(), "MIT")
    assert emoji.fetch(design) == content
    with pytest.raises(SystemExit, match="not the package that was pinned"):
        emoji.fetch(emoji.Design("x", "x", "1", "0" * 64, "MIT"))
