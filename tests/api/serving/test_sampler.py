"""The real sampler on real checkpoints."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from api.services import SampleRequest
from api.serving.cache import Cache
from api.serving.sampler import TorchSampler
from models import presets
from models.checkpoints import checkpoint
from models.checkpoints.errors import CorruptCheckpoint
from models.checkpoints.progress import Progress
from models.generation import sampling
from models.specs import TrainingSpec
from models.training import methods
from models.training.state import TrainingState

SPEC = presets.resolve(
    {
        "dataset": {"name": "digits"},
        "architecture": {"generator_widths": [16], "discriminator_widths": [16], "latent_dim": 4},
    }
)
WISH = SampleRequest(count=10, seed=3, truncation=1.0)


def start(spec: TrainingSpec) -> TrainingState:
    return methods.prepare(spec, device=torch.device("cpu"))[0]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "checkpoint"
    made.mkdir()
    checkpoint.write(made, start(SPEC).snapshot(Progress(images_seen=64)))
    return made


@pytest.fixture
def sampler() -> TorchSampler:
    return TorchSampler(device=torch.device("cpu"))


def test_a_grid_is_a_png_of_rows_and_columns_that_says_where_it_comes_from(sampler, folder):
    picture = Image.open(io.BytesIO(sampler.grid_png("ckpt_a", folder, WISH, columns=4)))
    assert picture.size == (4 * 8, 3 * 8)
    assert "ckpt_a" in picture.info["Source"]


def test_the_same_wish_gives_the_same_bytes_in_another_process_too(sampler, folder):
    fresh = TorchSampler(device=torch.device("cpu"))
    for make in ("images_npz", "images_zip"):
        assert getattr(sampler, make)("ckpt_a", folder, WISH) == getattr(fresh, make)("ckpt_a", folder, WISH)
    grid = sampler.grid_png("ckpt_a", folder, WISH, columns=4)
    assert grid == fresh.grid_png("ckpt_a", folder, WISH, columns=4)
    other = SampleRequest(count=10, seed=4, truncation=1.0)
    assert grid != sampler.grid_png("ckpt_a", folder, other, columns=4)


def test_grid_npz_and_zip_hold_the_same_images(sampler, folder):
    images = np.load(io.BytesIO(sampler.images_npz("ckpt_a", folder, WISH)), allow_pickle=False)["images"]
    assert (images.shape, images.dtype) == ((10, 8, 8, 1), np.uint8)
    archive = zipfile.ZipFile(io.BytesIO(sampler.images_zip("ckpt_a", folder, WISH)))
    assert len(archive.namelist()) == 10
    for place, name in enumerate(archive.namelist()):
        assert np.array_equal(np.asarray(Image.open(archive.open(name))), images[place, :, :, 0])
    grid = np.asarray(Image.open(io.BytesIO(sampler.grid_png("ckpt_a", folder, WISH, columns=5))))
    assert np.array_equal(grid[8:16, 16:24], images[7, :, :, 0])


def test_truncation_zero_point_five_varies_less(sampler, folder):
    def spread(truncation: float) -> float:
        wish = SampleRequest(count=64, seed=0, truncation=truncation)
        images = np.load(io.BytesIO(sampler.images_npz("ckpt_a", folder, wish)))["images"]
        return float(images.astype(float).std(axis=0).mean())

    assert spread(0.5) < spread(1.0)


def test_points_are_drawn_as_a_scatter_of_thousands_and_packed_as_floats(sampler, tmp_path):
    spec = presets.resolve(
        {
            "dataset": {"name": "ring"},
            "architecture": {
                "kind": "mlp",
                "generator_widths": [16],
                "discriminator_widths": [16],
                "latent_dim": 4,
            },
        }
    )
    checkpoint.write(tmp_path, start(spec).snapshot(Progress()))
    picture = np.asarray(Image.open(io.BytesIO(sampler.grid_png("ckpt_p", tmp_path, WISH, columns=4))))
    assert picture.shape == (512, 512, 3)
    assert (picture.max(axis=2) > 0).sum() > 10 * 9  # more than ten points' squares
    points = np.load(io.BytesIO(sampler.images_npz("ckpt_p", tmp_path, WISH)), allow_pickle=False)["images"]
    assert (points.shape, points.dtype) == ((10, 1, 1, 2), np.float32)


def test_the_classes_of_a_conditional_model_differ_and_its_default_takes_them_in_turn(sampler, tmp_path):
    spec = SPEC.model_copy(update={"labels": True})
    checkpoint.write(tmp_path, start(spec).snapshot(Progress()))

    def images(label: int | None) -> np.ndarray:
        wish = SampleRequest(count=12, seed=3, truncation=1.0, label=label)
        file = io.BytesIO(sampler.images_npz("ckpt_c", tmp_path, wish))
        images: np.ndarray = np.load(file, allow_pickle=False)["images"]
        return images

    mixed, zeros, ones = images(None), images(0), images(1)
    assert np.array_equal(mixed[[0, 10]], zeros[[0, 10]])
    assert np.array_equal(mixed[[1, 11]], ones[[1, 11]])
    assert not np.array_equal(zeros, ones)


@pytest.mark.parametrize("name", ["generator.safetensors", "manifest.json"])
def test_a_flipped_bit_is_found(sampler, folder, name):
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(CorruptCheckpoint):
        sampler.check("ckpt_a", folder)
    with pytest.raises(CorruptCheckpoint):
        sampler.grid_png("ckpt_a", folder, WISH, columns=4)


def test_a_check_draws_nothing(sampler, folder, monkeypatch):
    monkeypatch.setattr(sampling, "images_NHWC", None)
    sampler.check("ckpt_a", folder)


def test_a_folder_that_is_gone_is_a_damaged_checkpoint(sampler, tmp_path):
    with pytest.raises(CorruptCheckpoint):
        sampler.images_npz("ckpt_a", tmp_path / "gone", WISH)


def test_the_estimate_counts_the_parameters(sampler):
    estimate = sampler.estimate(SPEC)
    assert estimate.discriminator_parameters == 64 * 16 + 16 + 16 + 1
    assert estimate.flops_per_image > 2 * estimate.generator_parameters
    assert estimate.memory_bytes > 4 * 4 * estimate.discriminator_parameters


def test_the_cache_keeps_the_most_recently_used():
    cache, made = Cache(2), []

    def get(key: str) -> None:
        cache.get(key, lambda: made.append(key))

    for key in ("a", "b", "a", "c", "a", "b"):
        get(key)
    assert made == ["a", "b", "c", "b"]
