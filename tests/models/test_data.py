"""Datasets: what is loaded, and what is refused."""

import gzip
import hashlib
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
import torch

from models import data, pixels
from models.batches import Batches
from models.data import fashion_mnist, fetch
from models.spec import BuiltinDataset, TrainingSpec

FASHION = BuiltinDataset(name="fashion-mnist", resolution=28)
DIGITS = BuiltinDataset(name="digits", resolution=8)


@pytest.fixture
def small_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with four files in Fashion-MNIST's format, small, and taken for the published ones."""
    source = tmp_path / "source"
    source.mkdir()
    sums = {}
    for name in fashion_mnist.SHA256:
        count = 6 if name.startswith("train") else 2
        if "images" in name:
            header = bytes([0, 0, 8, 3]) + b"".join(size.to_bytes(4, "big") for size in (count, 28, 28))
            content = header + bytes(range(256)) * (count * 784 // 256) + bytes(count * 784 % 256)
        else:
            content = bytes([0, 0, 8, 1]) + count.to_bytes(4, "big") + bytes(range(count))
        sums[name] = hashlib.sha256(content).hexdigest()
        (source / name).write_bytes(gzip.compress(content))
    monkeypatch.setattr(fashion_mnist, "SHA256", sums)
    monkeypatch.setattr(fashion_mnist, "SYSTEM_FOLDER", tmp_path / "nowhere")
    return source


def copier(source: Path) -> Callable[[Iterable[str], Path], None]:
    def copy(names: Iterable[str], arrivals: Path) -> None:
        for name in names:
            (arrivals / name).write_bytes((source / name).read_bytes())

    return copy


def broken(names: Iterable[str], arrivals: Path) -> None:
    raise subprocess.CalledProcessError(100, "apt-get")


def test_digits_are_8x8_grey_from_black_to_white() -> None:
    digits = data.load(DIGITS, folder=Path("/nonexistent"))
    assert digits.images_NCHW.shape == (1797, 1, 8, 8)
    assert (digits.images_NCHW.min(), digits.images_NCHW.max()) == (0, 255)
    assert digits.labels[:4].tolist() == [0, 1, 2, 3]


def test_digits_test_split_is_always_the_same() -> None:
    one, other = (data.load(DIGITS, folder=Path("/nonexistent"), split="test") for _ in range(2))
    assert one.digest == other.digest
    assert len(one) == 300
    assert set(one.labels.tolist()) == set(range(10))


def test_digest_tells_content_apart(digits: data.ImageData) -> None:
    changed = digits.images_NCHW.copy()
    changed[0, 0, 0, 0] ^= 1
    assert data.ImageData(images_NCHW=digits.images_NCHW.copy(), labels=digits.labels).digest == digits.digest
    assert data.ImageData(images_NCHW=changed, labels=digits.labels).digest != digits.digest
    assert data.ImageData(images_NCHW=digits.images_NCHW, labels=digits.labels[::-1]).digest != digits.digest


def test_a_missing_dataset_says_what_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fashion_mnist, "SYSTEM_FOLDER", tmp_path / "nowhere")
    with pytest.raises(data.DatasetMissing, match=f"python -m models.data.fetch {tmp_path}"):
        data.load(FASHION, folder=tmp_path)


def test_fetched_files_load_and_a_second_fetch_copies_nothing(
    small_files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "SOURCES", {"broken": broken, "good": copier(small_files)})
    folder = tmp_path / "datasets"
    assert fetch.fetch(folder) == folder / "fashion-mnist"
    train = data.load(FASHION, folder=folder)
    assert train.images_NCHW.shape == (6, 1, 28, 28)
    assert train.images_NCHW[0, 0, 0, :3].tolist() == [0, 1, 2]
    assert data.load(FASHION, folder=folder, split="test").labels.tolist() == [0, 1]
    monkeypatch.setattr(fetch, "SOURCES", {"broken": broken})
    assert fetch.fetch(folder) == folder / "fashion-mnist"
    assert sorted(path.name for path in folder.iterdir()) == ["fashion-mnist"]


def test_a_damaged_file_is_refused_and_fetched_again(
    small_files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "SOURCES", {"good": copier(small_files)})
    damaged = fetch.fetch(tmp_path) / "train-images-idx3-ubyte.gz"
    for content in (damaged.read_bytes()[:-20], gzip.compress(b"\0\0\x08\x01\0\0\0\0"), b""):
        damaged.write_bytes(content)
        with pytest.raises(data.DatasetCorrupt, match="delete it"):
            data.load(FASHION, folder=tmp_path)
    fetch.fetch(tmp_path)
    assert len(data.load(FASHION, folder=tmp_path)) == 6


def test_a_source_that_sends_something_else_is_not_believed(
    small_files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (small_files / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(b"other"))
    monkeypatch.setattr(fetch, "SOURCES", {"forged": copier(small_files), "broken": broken})
    with pytest.raises(data.DatasetMissing, match=r"forged: .*; broken: .*apt-get"):
        fetch.fetch(tmp_path)


def test_an_epoch_shows_every_image_once_in_an_order_of_its_own(tiny: Callable[..., TrainingSpec]) -> None:
    values = np.arange(100, dtype=np.uint8).reshape(100, 1, 1, 1)
    numbered = data.ImageData(images_NCHW=values, labels=np.zeros(100, np.int64))
    batches = Batches(numbered, device=torch.device("cpu"), seed=1, batch_size=30)
    shown = torch.cat([pixels.to_uint8(batches.at(seen)).flatten() for seen in range(0, 300, 30)]).tolist()
    epochs = [shown[start : start + 100] for start in (0, 100, 200)]
    assert [sorted(epoch) for epoch in epochs] == [list(range(100))] * 3
    assert epochs[0] != epochs[1] != epochs[2]
    assert pixels.to_uint8(batches.at(90)).flatten().tolist() == shown[90:120]


def test_every_grey_level_survives_the_way_into_floats_and_back() -> None:
    levels = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(pixels.to_uint8(pixels.to_float(levels)), levels)
    assert pixels.to_uint8(torch.tensor([-9.0, -1.0, 1.0, 9.0])).tolist() == [0, 0, 255, 255]
