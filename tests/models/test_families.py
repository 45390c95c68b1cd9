"""Each family of networks matches its paper."""

from math import sqrt
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from models import architectures
from models.architectures import dcgan, mlp, r3gan, resnet, vae
from models.specs import DcganArchitecture, MlpArchitecture, R3ganArchitecture, ResnetArchitecture, VaeArchitecture
from tests.models.networks import (
    CLASSES,
    DCGAN,
    LATENTS,
    MLP,
    R3GAN,
    RESNET,
    make,
    name,
    shapes,
    some_labels,
    told_or_not,
)


def test_mlp_defaults_are_the_articles_networks() -> None:
    shape = (1, 28, 28)
    generator = mlp.Generator(MlpArchitecture(), image_CHW=shape, classes=0)
    discriminator = mlp.Discriminator(MlpArchitecture(), image_CHW=shape, classes=0)
    assert shapes(generator, dimensions=2) == [(128, 100), (256, 128), (512, 256), (1024, 512), (784, 1024)]
    assert shapes(discriminator, dimensions=2) == [(512, 784), (256, 512), (1, 256)]


def test_mlp_output_is_the_articles_sigmoid_stretched_to_minus_one_to_one() -> None:
    generator = mlp.Generator(MlpArchitecture(latent_dim=4), image_CHW=(1, 2, 2), classes=0)
    latents = torch.randn(3, 4)
    torch.testing.assert_close(generator(latents).flatten(1), 2 * generator.layers(latents).sigmoid() - 1)


SHARED = MlpArchitecture(
    latent_dim=5,
    generator_widths=(16, 12, 8),
    discriminator_widths=(14, 10, 6),
    generator_norm="batch",
    share_channels=True,
)


def test_shared_layers_are_as_wide_as_one_channel() -> None:
    generator = mlp.Generator(SHARED, image_CHW=(3, 4, 4), classes=0)
    discriminator = mlp.Discriminator(SHARED, image_CHW=(3, 4, 4), classes=0)
    assert shapes(generator, dimensions=2) == [(16, 5), (3 * 12, 16), (8, 12), (16, 8)]
    assert shapes(discriminator, dimensions=2) == [(14, 16), (10, 14), (6, 3 * 10), (1, 6)]


def test_channels_with_shared_layers_change_places_with_their_codes() -> None:
    """The layers around the codes distinguish the channels by their places alone."""
    generator = mlp.Generator(SHARED, image_CHW=(3, 4, 4), classes=0).eval()
    discriminator = mlp.Discriminator(SHARED, image_CHW=(3, 4, 4), classes=0)
    latents, images = torch.randn(7, 5), torch.randn(7, 3, 4, 4)
    drawn, judged = generator(latents), discriminator(images)
    (codes,) = [layer for layer in generator.layers if isinstance(layer, nn.Linear) and layer.out_features == 36]
    (whole,) = [layer for layer in discriminator.layers if isinstance(layer, nn.Linear) and layer.in_features == 30]
    order = [2, 0, 1]
    with torch.no_grad():
        codes.weight.copy_(codes.weight.view(3, 12, 16)[order].reshape(36, 16))
        codes.bias.copy_(codes.bias.view(3, 12)[order].flatten())
        whole.weight.copy_(whole.weight.view(6, 3, 10)[:, order].reshape(6, 30))
    torch.testing.assert_close(generator(latents), drawn[:, order])
    torch.testing.assert_close(discriminator(images[:, order]), judged)


def test_dcgan_doubles_its_feature_maps_at_every_halving() -> None:
    network = dcgan.Discriminator(DcganArchitecture(channels=16), image_CHW=(3, 64, 64), classes=0)
    assert [shape[0] for shape in shapes(network, dimensions=4)] == [16, 32, 64, 128, 1]


def test_resnet_generator_is_the_papers_for_cifar() -> None:
    """Miyato et al. 2018, table 3a: a dense layer, three blocks of 256 feature maps, batch norm and a convolution."""
    spec = ResnetArchitecture(latent_dim=128, channels=256)
    with torch.device("meta"):
        network = resnet.Generator(spec, image_CHW=(3, 32, 32), classes=0)
    dense, top = 128 * 4096 + 4096, 2 * 256 + 256 * 3 * 9 + 3
    block = 2 * (2 * 256) + 2 * (256 * 256 * 9 + 256) + 256 * 256 + 256
    assert sum(weight.numel() for weight in network.parameters()) == dense + 3 * block + top == 4_276_739


def test_resnet_discriminator_has_a_block_for_every_halving_and_one_more() -> None:
    network = resnet.Discriminator(ResnetArchitecture(discriminator_norm="none"), image_CHW=(3, 32, 32), classes=0)
    sizes: list[int] = []
    for block in network.trunk:
        block.register_forward_hook(lambda _block, _inputs, output: sizes.append(output.shape[-1]))
    network(torch.randn(1, 3, 32, 32))
    assert sizes == [16, 8, 4, 4, 4]


@pytest.mark.parametrize("place", [0, 1, 2])
def test_resnet_discriminators_blocks_are_the_papers(place: int) -> None:
    """Miyato et al. 2018, figure 8: ReLU, convolution, ReLU, convolution, halving; the first has no ReLU in front, the
    last neither halves nor convolves its shortcut.
    """
    spec = RESNET.model_copy(update={"discriminator_norm": "none"})
    block: Any = make(spec, resolution=16)[1].get_submodule(f"trunk.{place}")
    one, two = (part for part in block.residual if isinstance(part, nn.Conv2d))
    features = torch.randn(2, one.in_channels, 16, 16)
    residual = two(one(features if place == 0 else features.relu()).relu())
    expected = F.avg_pool2d(residual + block.shortcut[1](features), 2) if place < 2 else residual + features
    torch.testing.assert_close(block(features), expected)


@told_or_not
def test_resnet_generators_blocks_are_the_papers(classes: int) -> None:
    """Miyato et al. 2018, figure 8: norm, ReLU, doubling, convolution, norm, ReLU, convolution."""
    block: Any = make(RESNET, classes=classes)[0].get_submodule("blocks.0")
    norm, _, _, one, other, _, two = block.residual
    features, labels = torch.randn(4, 8, 4, 4), some_labels(4, classes=classes)
    doubled = F.interpolate(norm(features, labels).relu(), scale_factor=2)
    residual = two(other(one(doubled), labels).relu())
    expected = residual + F.interpolate(block.shortcut[0](features), scale_factor=2)
    torch.testing.assert_close(block(features, labels), expected)


def test_resnet_shortcuts_are_the_papers_which_resample_in_the_other_order() -> None:
    features = torch.randn(2, 8, 4, 4)
    up: Any = make(RESNET)[0].get_submodule("blocks.0.shortcut")
    torch.testing.assert_close(up(features), up[0](F.interpolate(features, scale_factor=2)))
    discriminator = make(RESNET.model_copy(update={"discriminator_norm": "none"}), resolution=16)[1]
    down: Any = discriminator.get_submodule("trunk.1.shortcut")
    torch.testing.assert_close(down(features), F.avg_pool2d(down[1](features), 2))


def test_resnet_draws_glorots_weights_with_the_papers_gains() -> None:
    spec = ResnetArchitecture(channels=64, discriminator_norm="none")
    for network in (
        resnet.Generator(spec, image_CHW=(3, 16, 16), classes=0),
        resnet.Discriminator(spec, image_CHW=(3, 16, 16), classes=0),
    ):
        for key, weight in network.named_parameters():
            if weight.dim() > 1:
                fans = weight.shape[0] + weight.shape[1]
                bound = sqrt(6 / (fans * weight[0, 0].numel())) * (sqrt(2) if "residual" in key else 1)
                assert 0.9 * bound < weight.abs().max() <= bound, key


def test_r3gan_doubles_its_feature_maps_up_to_eight_times() -> None:
    with torch.device("meta"):
        network = r3gan.Discriminator(R3ganArchitecture(channels=16), image_CHW=(3, 256, 256), classes=0)
    widths = [part.branch[0].in_channels for part in network.layers if isinstance(part, r3gan._Block)]
    assert widths == [16, 32, 64, 128, 128, 128, 128]


def test_r3gan_blocks_are_the_identity_at_first() -> None:
    network = r3gan.Discriminator(R3GAN, image_CHW=(1, 8, 8), classes=0)
    blocks = [part for part in network.layers if isinstance(part, r3gan._Block)]
    assert len(blocks) == 4
    for block in blocks:
        widen = block.branch[0]
        assert isinstance(widen, nn.Conv2d)
        features = torch.randn(2, widen.in_channels, 4, 4)
        assert torch.equal(block(features), features)


def test_r3gan_blocks_are_inverted_bottlenecks_of_grouped_convolutions() -> None:
    block = next(part for part in make(R3GAN)[1].modules() if isinstance(part, r3gan._Block))
    branch: list[Any] = list(block.branch)
    widen, _, grouped, _, narrow = branch
    assert (widen.in_channels, grouped.in_channels, grouped.groups, narrow.out_channels) == (4, 8, 2, 4)
    features = torch.randn(2, 4, 8, 8)
    inside = F.leaky_relu(grouped(F.leaky_relu(widen(features), 0.2)), 0.2)
    torch.testing.assert_close(block(features), features + narrow(inside))


def test_r3gan_scales_the_weights_of_deeper_networks_down() -> None:
    """The scale of Zhang et al. 2019 is L^(-1 / (2m - 2)) = L^(-1/4), on top of He's gain."""
    spec = R3ganArchitecture(channels=64, group_width=32, expansion=2)
    for depth in (1, 16):
        torch.manual_seed(0)
        branch = r3gan._Block(spec, 64, depth=depth).branch
        for layer, fan_in in ((branch[0], 64), (branch[2], 32 * 9)):
            expected = sqrt(2 / 1.04 / fan_in) / depth**0.25
            torch.testing.assert_close(layer.get_parameter("weight").std().item(), expected, rtol=0.05, atol=0)
    assert branch[2].groups == 4


def test_r3gan_starts_with_images_and_logits_of_ordinary_size() -> None:
    torch.manual_seed(0)
    spec = R3ganArchitecture(channels=16)
    images = r3gan.Generator(spec, image_CHW=(3, 32, 32), classes=0)(torch.randn(16, 64))
    logits = r3gan.Discriminator(spec, image_CHW=(3, 32, 32), classes=0)(torch.rand(16, 3, 32, 32) * 2 - 1)
    assert 0.1 < images.std() < 0.9
    assert 0.01 < logits.std() < 10


@settings(max_examples=20, deadline=None)
@given(size=st.integers(1, 9), width=st.integers(1, 4), seed=st.integers(0, 999))
def test_halving_is_the_adjoint_of_doubling(size: int, width: int, seed: int) -> None:
    """<halve x, y> = <x, double y> / 4: nothing is counted twice, nothing is lost."""
    chance = torch.Generator().manual_seed(seed)
    large = torch.randn(2, width, 2 * size, 2 * size, generator=chance)
    small = torch.randn(2, width, size, size, generator=chance)
    halved, doubled = r3gan._Halving(width)(large), r3gan._Doubling(width)(small)
    assert (halved.shape, doubled.shape) == (small.shape, large.shape)
    torch.testing.assert_close((halved * small).sum() * 4, (large * doubled).sum(), rtol=1e-4, atol=1e-4)


def test_doubling_is_bilinear_but_at_the_border() -> None:
    features = torch.randn(2, 3, 6, 6)
    expected = F.interpolate(features, scale_factor=2, mode="bilinear")
    torch.testing.assert_close(r3gan._Doubling(3)(features)[..., 1:-1, 1:-1], expected[..., 1:-1, 1:-1])


@told_or_not
@pytest.mark.parametrize("backbone", [MLP, DCGAN], ids=name)
def test_vae_draws_with_its_backbones_own_generator(backbone: Any, classes: int) -> None:
    drawn = []
    for spec in (VaeArchitecture(backbone=backbone), backbone):
        torch.manual_seed(0)
        make = architectures.REGISTRY[spec.kind].networks["generator"]
        drawn.append(make(spec, image_CHW=(1, 8, 8), classes=classes))
    ours, theirs = drawn
    assert type(ours) is type(theirs)
    assert all(torch.equal(weight, ours.state_dict()[key]) for key, weight in theirs.state_dict().items())


@pytest.mark.parametrize("backbone", [MLP, DCGAN], ids=name)
def test_vae_encodes_with_its_backbones_discriminator_but_for_the_last_layer(backbone: Any) -> None:
    encoder, judge = make(VaeArchitecture(backbone=backbone))[1].get_submodule("trunk"), make(backbone)[1]
    found, expected = (
        {key: weight.shape for key, weight in network.state_dict().items()} for network in (encoder, judge)
    )
    assert list(found) == list(expected)
    other = [key for key, shape in found.items() if shape != expected[key]]
    assert [found[key][0] for key in other] == [2 * LATENTS, 2 * LATENTS]


def test_vae_is_not_told_the_class_at_first() -> None:
    encoder = vae.Encoder(VaeArchitecture(backbone=DCGAN), image_CHW=(1, 8, 8), classes=CLASSES)
    images = torch.randn(1, 1, 8, 8).expand(CLASSES, -1, -1, -1)
    found = encoder(images, torch.arange(CLASSES))
    torch.testing.assert_close(found, found[:1].expand_as(found))
