"""Samples depend on checkpoint, seed and index alone."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from models import checkpoint, sampling, training


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, state: training.State) -> Path:
    path = tmp_path_factory.mktemp("checkpoint")
    checkpoint.write(path, state)
    return path


@pytest.fixture(scope="module")
def generator(folder: Path) -> sampling.LoadedGenerator:
    return sampling.load(folder, device=torch.device("cpu"))


@given(start=st.integers(0, 200), count=st.integers(0, 150))
@settings(max_examples=30, deadline=None)
def test_an_image_does_not_depend_on_what_else_is_asked_for(
    generator: sampling.LoadedGenerator, start: int, count: int
) -> None:
    whole = sampling.images_NHWC(generator, seed=7, count=350)
    part = sampling.images_NHWC(generator, seed=7, count=count, start=start)
    assert part.shape == (count, 8, 8, 1)
    assert part.dtype == np.uint8
    assert np.array_equal(part, whole[start : start + count])


def test_other_seeds_and_indices_give_other_images(generator: sampling.LoadedGenerator) -> None:
    images = np.concatenate([sampling.images_NHWC(generator, seed=seed, count=100) for seed in (0, 1)])
    assert len(np.unique(images.reshape(200, -1), axis=0)) > 190


def test_a_generator_loaded_again_gives_the_same_bytes(folder: Path, generator: sampling.LoadedGenerator) -> None:
    again = sampling.load(folder, device=torch.device("cpu"))
    assert again.images_seen == 96
    one, other = (sampling.images_NHWC(loaded, seed=3, count=5) for loaded in (generator, again))
    assert np.array_equal(one, other)


def test_samples_are_drawn_from_the_average_in_evaluation_mode(
    generator: sampling.LoadedGenerator, state: training.State
) -> None:
    assert state.average is not None
    assert not generator.module.training
    assert all(torch.equal(tensor, state.average[name]) for name, tensor in generator.module.state_dict().items())


def test_a_damaged_generator_is_refused(tmp_path: Path, state: training.State) -> None:
    checkpoint.write(tmp_path, state)
    content = bytearray((tmp_path / checkpoint.GENERATOR).read_bytes())
    content[-1] ^= 1
    (tmp_path / checkpoint.GENERATOR).write_bytes(content)
    with pytest.raises(checkpoint.CorruptCheckpoint):
        sampling.load(tmp_path, device=torch.device("cpu"))


def numbered(count: int, channels: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Images of 2 x 3 pixels, each of one value: 1, 2, 3, ..."""
    values = np.arange(1, count + 1, dtype=np.uint8)[:, None, None, None]
    return np.broadcast_to(values, (count, 2, 3, channels)).copy()


def test_grid_goes_row_by_row_and_leaves_free_cells_black() -> None:
    grid = sampling.grid_HWC(numbered(3, 1), columns=2)
    assert grid.shape == (4, 6, 1)
    assert grid[::2, ::3, 0].tolist() == [[1, 2], [3, 0]]


def test_grid_scales_by_whole_pixels_and_has_borders_between_images_only() -> None:
    grid = sampling.grid_HWC(numbered(4, 3), columns=2, scale=2, border_pixels=1)
    assert grid.shape == (9, 13, 3)
    assert grid[0, :, 0].tolist() == [1] * 6 + [0] + [2] * 6
    assert grid[4].max() == 0


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB")])
def test_png_holds_the_pixels_and_the_texts(channels: int, mode: str) -> None:
    picture = sampling.grid_HWC(numbered(4, channels), columns=2)
    encoded = sampling.png(picture, texts={"Software": "Saddle"})
    assert encoded == sampling.png(picture, texts={"Software": "Saddle"})
    decoded = Image.open(io.BytesIO(encoded))
    assert decoded.mode == mode
    assert np.array_equal(np.asarray(decoded).reshape(picture.shape), picture)
    assert decoded.text == {"Software": "Saddle"}
