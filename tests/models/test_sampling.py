"""Samples depend on checkpoint, seed and index alone."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from models import architectures, training
from models.checkpoints import checkpoint
from models.generation import sampling
from models.runtime import randomness
from models.specs import TrainingSpec

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, state: training.Snapshot) -> Path:
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
    generator: sampling.LoadedGenerator, state: training.Snapshot
) -> None:
    assert state.averages
    assert not generator.module.training
    average = state.averages["generator"]
    assert all(torch.equal(tensor, average[name]) for name, tensor in generator.module.state_dict().items())


def test_a_damaged_generator_is_refused(tmp_path: Path, state: training.Snapshot) -> None:
    checkpoint.write(tmp_path, state)
    content = bytearray((tmp_path / checkpoint.GENERATOR).read_bytes())
    content[-1] ^= 1
    (tmp_path / checkpoint.GENERATOR).write_bytes(content)
    with pytest.raises(checkpoint.CorruptCheckpoint):
        sampling.load(tmp_path, device=torch.device("cpu"))


class Echo(nn.Module):
    """Draws what it was told: the class, as images of value class / 100, or the first two latents, as points."""

    def __init__(self, image_CHW: tuple[int, int, int]) -> None:
        super().__init__()
        self.image_CHW = image_CHW

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        if self.image_CHW == (2, 1, 1):
            return latents[:, :2, None, None] / 10
        assert labels is not None
        assert labels.dtype == torch.int64
        return (labels.float() / 100).view(-1, 1, 1, 1).expand(-1, *self.image_CHW)


def echo(spec: TrainingSpec) -> sampling.LoadedGenerator:
    return sampling.LoadedGenerator(spec, 0, Echo(architectures.image_CHW(spec)), CPU)


@pytest.fixture(scope="module")
def conditional(tiny: Callable[..., TrainingSpec]) -> sampling.LoadedGenerator:
    return echo(tiny(labels=True))


@pytest.fixture(scope="module")
def plane(tiny: Callable[..., TrainingSpec]) -> sampling.LoadedGenerator:
    return echo(tiny(dataset={"kind": "builtin", "name": "ring", "resolution": 1}, augment={"kind": "none"}))


def drawn(
    generator: sampling.LoadedGenerator, *, start: int = 0, count: int = 10, label: int | None = None
) -> list[int]:
    """Return the classes that an echo was told."""
    images = sampling.images_NHWC(generator, seed=0, start=start, count=count, label=label).astype(float)
    classes: list[int] = np.rint((images[:, 0, 0, 0] / 127.5 - 1) * 100).astype(int).tolist()
    return classes


@given(start=st.integers(0, 200), count=st.integers(1, 150))
@settings(max_examples=20, deadline=None)
def test_a_conditional_generators_classes_take_turns_by_index(
    conditional: sampling.LoadedGenerator, start: int, count: int
) -> None:
    assert drawn(conditional, start=start, count=count) == [index % 10 for index in range(start, start + count)]


@pytest.mark.parametrize("label", [0, 9])
def test_a_label_is_the_class_of_all_images(conditional: sampling.LoadedGenerator, label: int) -> None:
    assert drawn(conditional, label=label, count=70) == [label] * 70


@pytest.mark.parametrize("label", [-1, 10])
def test_a_label_beyond_the_classes_is_refused_with_the_limit(
    conditional: sampling.LoadedGenerator, label: int
) -> None:
    with pytest.raises(ValueError, match="10 classes: use 0 to 9"):
        sampling.images_NHWC(conditional, seed=0, count=1, label=label)


def test_an_unconditional_generator_takes_no_label(plane: sampling.LoadedGenerator) -> None:
    with pytest.raises(ValueError, match="unconditional"):
        sampling.images_NHWC(plane, seed=0, count=1, label=0)


def test_points_come_as_unrounded_floats(plane: sampling.LoadedGenerator) -> None:
    points = sampling.images_NHWC(plane, seed=0, count=100)
    assert (points.shape, points.dtype) == ((100, 1, 1, 2), np.dtype(np.float32))
    assert len(np.unique(points)) == 200
    half = sampling.images_NHWC(plane, seed=0, count=100, truncation=0.5)
    np.testing.assert_allclose(half, points / 2, rtol=1e-6)
    none = sampling.images_NHWC(plane, seed=0, count=0)
    assert (none.shape, none.dtype) == ((0, 1, 1, 2), np.dtype(np.float32))


def test_unconditional_images_are_the_ones_that_they_always_were(tiny: Callable[..., TrainingSpec]) -> None:
    """Latents of a chunk of 64 by the derived seed, rounded to pixels: what earlier releases drew."""
    spec = tiny()

    class Spread(nn.Module):
        def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
            assert labels is None
            return latents.tanh().repeat(1, 8).view(-1, 1, 8, 8)

    images = sampling.images_NHWC(sampling.LoadedGenerator(spec, 0, Spread(), CPU), seed=5, count=3, start=64)
    chance = torch.Generator().manual_seed(randomness.derive(5, purpose="samples", at=1))
    latents = torch.randn(64, 8, generator=chance)[:3]
    expected = ((latents.tanh() + 1) * 127.5).round().to(torch.uint8)
    assert np.array_equal(images[:, 0, :, 0], expected.numpy())
