"""Datasets: which are loaded, and which are refused."""

import gzip
import hashlib
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
import torch

from models import data
from models.data import catalog, fashion_mnist, fetch, pixels
from models.specs import BuiltinDataset

FASHION = catalog.FASHION_MNIST.spec
STACKED = catalog.STACKED_FASHION.spec
RING = catalog.RING.spec
GRID = catalog.GRID.spec
NOWHERE = Path("/nonexistent")
DIGITS = catalog.DIGITS.spec


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
    assert digits.images_NCHW.shape == (1497, 1, 8, 8)
    assert (digits.images_NCHW.min(), digits.images_NCHW.max()) == (0, 255)
    assert digits.labels[:6].tolist() == [1, 2, 3, 4, 5, 7]


def test_digits_holdout_is_always_the_same_and_never_trained_on() -> None:
    one, other = (data.load(DIGITS, folder=Path("/nonexistent"), split="holdout") for _ in range(2))
    assert one.digest == other.digest
    assert len(one) == 300
    assert set(one.labels.tolist()) == set(range(10))
    train = {image.tobytes() for image in data.load(DIGITS, folder=NOWHERE).images_NCHW}
    assert sum(image.tobytes() in train for image in one.images_NCHW) == 0


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
    assert data.load(FASHION, folder=folder, split="holdout").labels.tolist() == [0, 1]
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


@pytest.mark.parametrize(("dataset", "modes", "deviation"), [(RING, 8, 0.0075), (GRID, 25, 0.01)], ids=["ring", "grid"])
def test_points_scatter_about_their_modes_as_the_title_says(
    dataset: BuiltinDataset, modes: int, deviation: float
) -> None:
    points = data.load(dataset, folder=NOWHERE)
    assert (points.images_NCHW.shape, points.images_NCHW.dtype) == ((100_000, 2, 1, 1), np.dtype(np.float32))
    assert np.bincount(points.labels).tolist() == [100_000 // modes] * modes
    assert f"{modes} Gaussians of deviation {deviation}" in catalog.BUILTIN[dataset.name].title
    means = np.stack([points.images_NCHW[points.labels == mode, :, 0, 0].mean(axis=0) for mode in range(modes)])
    places = [-0.8, -0.4, 0.0, 0.4, 0.8]
    eighth = 0.75 * np.sqrt(0.5)
    expected = (
        [(x, y) for x in places for y in places]
        if dataset is GRID
        else [
            *((0.75, 0), (eighth, eighth), (0, 0.75), (-eighth, eighth)),
            *((-0.75, 0), (-eighth, -eighth), (0, -0.75), (eighth, -eighth)),
        ]
    )
    # Five standard errors of a mean of 4,000 points or more.
    np.testing.assert_allclose(means, expected, atol=5 * deviation / np.sqrt(4000))
    spread = points.images_NCHW[:, :, 0, 0] - means[points.labels]
    np.testing.assert_allclose(spread.std(axis=0), deviation, rtol=0.01)


@pytest.mark.parametrize("dataset", [RING, GRID], ids=["ring", "grid"])
def test_points_are_the_same_every_time_and_others_in_the_test_split(dataset: BuiltinDataset) -> None:
    one, other = (data.load(dataset, folder=NOWHERE) for _ in range(2))
    test = data.load(dataset, folder=NOWHERE, split="holdout")
    assert one.digest == other.digest
    assert len(test) == 10_000
    assert np.intersect1d(one.images_NCHW[:, 0], test.images_NCHW[:, 0]).size < 1000


def test_stacked_garments_hold_each_garment_once_a_channel_and_name_them(
    small_files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "SOURCES", {"good": copier(small_files)})
    folder = tmp_path / "datasets"
    fetch.fetch(folder)
    garments = data.load(FASHION, folder=folder)
    stacked = data.load(STACKED, folder=folder)
    assert (stacked.images_NCHW.shape, stacked.images_NCHW.dtype) == ((6, 3, 28, 28), np.dtype(np.uint8))
    orders = [stacked.labels // 100, stacked.labels // 10 % 10, stacked.labels % 10]
    for channel, order in enumerate(orders):
        assert sorted(order.tolist()) == list(range(6))  # the files' labels number the images
        assert np.array_equal(stacked.images_NCHW[:, channel], garments.images_NCHW[order, 0])
    assert orders[0].tolist() != orders[1].tolist() != orders[2].tolist() != orders[0].tolist()
    assert data.load(STACKED, folder=folder).digest == stacked.digest
    assert len(data.load(STACKED, folder=folder, split="holdout")) == 2


def test_a_missing_source_of_stacked_garments_says_what_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fashion_mnist, "SYSTEM_FOLDER", tmp_path / "nowhere")
    with pytest.raises(data.DatasetMissing, match="python -m models"):
        data.load(STACKED, folder=tmp_path)


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((4, 1, 8, 8), np.float64),
        np.zeros((4, 1, 8, 8), np.float32),
        np.full((4, 2, 1, 1), 1.5, np.float32),
        np.full((4, 2, 1, 1), np.nan, np.float32),
        np.zeros((4, 1, 8, 7), np.uint8),
        np.zeros((3, 1, 8, 8), np.uint8),
    ],
    ids=["float64", "float picture", "beyond the box", "NaN", "not square", "too few"],
)
def test_images_of_another_kind_are_no_dataset(images: "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]") -> None:
    with pytest.raises(AssertionError):
        data.ImageData(images_NCHW=images, labels=np.zeros(4, np.int64))


def test_every_grey_level_survives_the_way_into_floats_and_back() -> None:
    levels = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(pixels.to_uint8(pixels.to_float(levels)), levels)
    assert pixels.to_uint8(torch.tensor([-9.0, -1.0, 1.0, 9.0])).tolist() == [0, 0, 255, 255]


def test_points_pass_unchanged_where_pixels_are_rounded() -> None:
    points = torch.rand(50, 2, 1, 1) * 2 - 1
    assert pixels.to_float(points) is points
    assert torch.equal(pixels.to_stored(points, points=True), points)
    assert pixels.to_stored(points.bfloat16(), points=True).dtype == torch.float32
    assert torch.equal(pixels.to_stored(points, points=False), pixels.to_uint8(points))
