"""Networks make images of the right shape and range, from the spec's seed alone."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from models import architectures
from models.architectures import dcgan, mlp
from models.spec import DcganArchitecture, MlpArchitecture, TrainingSpec, dcgan_halvings


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("resolution", [8, 28, 32, 64])
def test_dcgan_makes_and_judges_images_of_every_size(resolution: int, channels: int) -> None:
    spec, image_CHW = DcganArchitecture(latent_dim=10, channels=4), (channels, resolution, resolution)
    images = dcgan.Generator(spec, image_CHW=image_CHW)(torch.randn(5, 10))
    assert images.shape == (5, *image_CHW)
    assert images.abs().max() <= 1
    assert dcgan.Discriminator(spec, image_CHW=image_CHW)(images).shape == (5,)


def test_dcgan_doubles_its_feature_maps_at_every_halving() -> None:
    network = dcgan.Discriminator(DcganArchitecture(channels=16), image_CHW=(3, 64, 64))
    assert [weight.shape[0] for weight in network.parameters() if weight.dim() == 4] == [16, 32, 64, 128, 1]


@pytest.mark.parametrize(
    ("resolution", "halvings"), [(8, 1), (28, 2), (32, 3), (64, 4), (48, 3), (7, None), (27, None), (18, None)]
)
def test_a_resolution_halves_down_to_3_to_7_pixels_or_not_at_all(resolution: int, halvings: int | None) -> None:
    assert dcgan_halvings(resolution) == halvings


@pytest.mark.parametrize("norm", ["none", "batch"])
def test_mlp_makes_and_judges_images(norm: Any) -> None:
    spec = MlpArchitecture(latent_dim=10, generator_norm=norm)
    images = mlp.Generator(spec, image_CHW=(3, 5, 5))(torch.randn(4, 10))
    assert images.shape == (4, 3, 5, 5)
    assert images.abs().max() <= 1
    assert mlp.Discriminator(spec, image_CHW=(3, 5, 5))(images).shape == (4,)


def test_mlp_defaults_are_the_articles_networks() -> None:
    shape = (1, 28, 28)
    generator = mlp.Generator(MlpArchitecture(), image_CHW=shape)
    discriminator = mlp.Discriminator(MlpArchitecture(), image_CHW=shape)
    assert [tuple(weight.shape) for weight in generator.parameters() if weight.dim() == 2] == [
        (128, 100), (256, 128), (512, 256), (1024, 512), (784, 1024)
    ]  # fmt: skip
    assert [tuple(weight.shape) for weight in discriminator.parameters() if weight.dim() == 2] == [
        (512, 784), (256, 512), (1, 256)
    ]  # fmt: skip


def test_mlp_output_is_the_articles_sigmoid_stretched_to_minus_one_to_one() -> None:
    generator = mlp.Generator(MlpArchitecture(latent_dim=4), image_CHW=(1, 2, 2))
    latents = torch.randn(3, 4)
    torch.testing.assert_close(generator(latents).flatten(1), 2 * generator.layers(latents).sigmoid() - 1)


def test_weights_are_a_function_of_the_seed(tiny: Callable[..., TrainingSpec]) -> None:
    first, again, other = (architectures.build(tiny(seed=seed)) for seed in (1, 1, 2))
    for side in ("generator", "discriminator"):
        weights = [next(getattr(networks, side).parameters()) for networks in (first, again, other)]
        assert torch.equal(weights[0], weights[1])
        assert not torch.equal(weights[0], weights[2])
