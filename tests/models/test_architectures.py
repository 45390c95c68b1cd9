"""Networks make and judge images of the right shape and range, of a class if told one, from the spec's seed alone."""

import hashlib
from collections.abc import Callable, Iterator
from math import sqrt
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from models import architectures, placement
from models.architectures import dcgan, layers, mlp, r3gan, resnet, vae
from models.spec import (
    DcganArchitecture,
    MlpArchitecture,
    R3ganArchitecture,
    ResnetArchitecture,
    TrainingSpec,
    VaeArchitecture,
)
from models.spec.architectures import halvings

CPU = torch.device("cpu")
LATENTS = 6
CLASSES = 3
MLP = MlpArchitecture(latent_dim=LATENTS, generator_widths=(16,), discriminator_widths=(16, 12))
DCGAN = DcganArchitecture(latent_dim=LATENTS, channels=4)
RESNET = ResnetArchitecture(latent_dim=LATENTS, channels=8)
R3GAN = R3ganArchitecture(latent_dim=LATENTS, channels=4, group_width=4, blocks=2)
GAMES: list[Any] = [
    MLP,
    MLP.model_copy(update={"generator_norm": "batch", "activation": "leaky_relu"}),
    DCGAN,
    DCGAN.model_copy(update={"generator_norm": "none", "discriminator_norm": "batch"}),
    DCGAN.model_copy(update={"discriminator_norm": "spectral"}),
    RESNET,
    RESNET.model_copy(update={"generator_norm": "none", "discriminator_norm": "none"}),
    R3GAN,
]
EVERY: list[Any] = [*GAMES, VaeArchitecture(backbone=MLP), VaeArchitecture(backbone=DCGAN)]
SPECTRAL = [GAMES[4], RESNET]


def name(value: Any) -> str:
    if not hasattr(value, "kind"):
        return str(value)
    norms = [getattr(value, side, "") for side in ("generator_norm", "discriminator_norm")]
    return "-".join([value.kind, *norms]) if value.kind != "vae" else f"vae-{value.backbone.kind}"


every_game = pytest.mark.parametrize("spec", GAMES, ids=name)
every_kind = pytest.mark.parametrize("spec", EVERY, ids=name)
told_or_not = pytest.mark.parametrize("classes", [0, CLASSES])


def make(spec: Any, *, resolution: int = 8, channels: int = 1, classes: int = 0) -> tuple[nn.Module, nn.Module]:
    """The pair, the weights that start at zero or one moved away, so that every layer matters."""
    torch.manual_seed(0)
    maker, shape = architectures.REGISTRY[spec.kind], (channels, resolution, resolution)
    pair = tuple(side(spec, image_CHW=shape, classes=classes) for side in (maker.generator, maker.discriminator))
    with torch.no_grad():
        for weight in (weight for network in pair for weight in network.parameters()):
            weight.add_(torch.randn_like(weight) / 10)
    return pair[0], pair[1]


def some_labels(number: int, *, classes: int) -> Tensor | None:
    return torch.arange(number) % classes if classes else None


def shapes(network: nn.Module, *, dimensions: int) -> list[tuple[int, ...]]:
    return [tuple(weight.shape) for weight in network.parameters() if weight.dim() == dimensions]


# Shapes and ranges


@told_or_not
@pytest.mark.parametrize("channels", [1, 3])
@every_kind
def test_every_kind_makes_and_judges_images(spec: Any, channels: int, classes: int) -> None:
    generator, discriminator = make(spec, channels=channels, classes=classes)
    labels = some_labels(5, classes=classes)
    images = generator(3 * torch.randn(5, LATENTS), labels)
    assert images.shape == (5, channels, 8, 8)
    assert images.abs().max() <= 1
    assert discriminator(images, labels).shape == ((5, 2 * LATENTS) if spec.kind == "vae" else (5,))


@told_or_not
@pytest.mark.parametrize("resolution", [8, 16, 28, 32, 48, 64, 128, 256])
@pytest.mark.parametrize(
    "spec", [DcganArchitecture(), ResnetArchitecture(discriminator_norm="none"), R3ganArchitecture()], ids=name
)
def test_convolutions_serve_every_size_that_halves_down_to_3_to_7_pixels(
    spec: Any, resolution: int, classes: int
) -> None:
    with torch.device("meta"):
        generator, discriminator = make(spec, resolution=resolution, channels=3, classes=classes)
        labels = some_labels(2, classes=classes)
        images = generator(torch.empty(2, spec.latent_dim), labels)
        assert images.shape == (2, 3, resolution, resolution)
        assert discriminator(images, labels).shape == (2,)


@pytest.mark.parametrize(
    ("resolution", "number"), [(8, 1), (28, 2), (32, 3), (64, 4), (48, 3), (7, None), (27, None), (18, None)]
)
def test_a_resolution_halves_down_to_3_to_7_pixels_or_not_at_all(resolution: int, number: int | None) -> None:
    assert halvings(resolution) == number


@told_or_not
def test_mlp_makes_and_judges_points_of_the_plane(classes: int) -> None:
    generator, discriminator = make(MLP, resolution=1, channels=2, classes=classes)
    labels = some_labels(7, classes=classes)
    points = generator(torch.randn(7, LATENTS), labels)
    assert points.shape == (7, 2, 1, 1)
    assert discriminator(points, labels).shape == (7,)


# Classes


@pytest.mark.parametrize("side", [0, 1])
@every_kind
def test_networks_ask_for_labels_if_and_only_if_there_are_classes(spec: Any, side: int) -> None:
    batch = (torch.randn(4, LATENTS), torch.randn(4, 1, 8, 8))[side]
    labels = some_labels(4, classes=CLASSES)
    with pytest.raises(AssertionError):
        make(spec)[side](batch, labels)
    with pytest.raises(AssertionError):
        make(spec, classes=CLASSES)[side](batch)


@pytest.mark.parametrize("side", [0, 1])
@every_kind
def test_an_image_and_its_judgement_depend_on_its_own_class_alone(spec: Any, side: int) -> None:
    network = make(spec, classes=CLASSES)[side].eval()
    batch = (torch.randn(3, LATENTS), torch.randn(3, 1, 8, 8))[side]
    before, after = network(batch, torch.tensor([0, 1, 2])), network(batch, torch.tensor([0, 1, 0]))
    torch.testing.assert_close(before[:2], after[:2])
    assert not torch.allclose(before[2], after[2])


@every_game
def test_a_class_adds_its_vectors_product_with_the_features_to_the_logit(spec: Any) -> None:
    discriminator = make(spec, classes=CLASSES)[1].eval()
    images, labels = torch.randn(4, 1, 8, 8), torch.tensor([0, 1, 2, 2])
    told = discriminator(images, labels)
    plain = make(spec)[1].eval()
    state = {key: value for key, value in discriminator.state_dict().items() if "projection" not in key}
    plain.load_state_dict(state)
    vectors = discriminator.projection.embedding.weight
    seen: list[Tensor] = []
    discriminator.projection.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[1]))
    discriminator(images, labels)
    torch.testing.assert_close(told, plain(images) + (vectors[labels] * seen[0]).sum(1))
    assert seen[0].shape == (4, vectors.shape[1])


@pytest.mark.parametrize("spec", [DCGAN, RESNET], ids=name)
def test_projections_see_the_features_summed_over_all_places(spec: Any) -> None:
    """Miyato & Koyama 2018, section 4: global sum pooling."""
    discriminator = make(spec, classes=CLASSES)[1].eval()
    trunk = discriminator.layers[:-2] if spec.kind == "dcgan" else discriminator.trunk
    images, seen = torch.randn(4, 1, 8, 8), []
    discriminator.projection.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[1]))
    discriminator(images, some_labels(4, classes=CLASSES))
    features = trunk(images)
    assert features.shape[2:] == (4, 4)
    torch.testing.assert_close(seen[0], features.sum((2, 3)))


def test_latents_are_followed_by_their_classes_vectors() -> None:
    network = layers.ClassedLatents(100, classes=4)
    latents, labels = torch.randn(3, 100), torch.tensor([2, 0, 2])
    found = network(latents, labels)
    assert found.shape == (3, network.width) == (3, 132)
    assert torch.equal(found[:, :100], latents)
    assert torch.equal(found[:, 100:], network.embedding.weight[labels])
    assert layers.ClassedLatents(5, classes=4).width == 10


def test_classed_batch_norm_scales_and_shifts_normal_features_by_class() -> None:
    norm = layers.ClassedBatchNorm2d(2, classes=3)
    features, labels = torch.randn(6, 2, 5, 5) * 3 + 1, torch.tensor([0, 1, 2, 2, 1, 0])
    normal = F.batch_norm(features, None, None, training=True)
    torch.testing.assert_close(norm(features, labels), normal)
    gains, biases = nn.init.normal_(norm.gains), nn.init.normal_(norm.biases)
    expected = torch.stack(
        [normal[n] * gains[c][:, None, None] + biases[c][:, None, None] for n, c in enumerate(labels)]
    )
    torch.testing.assert_close(norm(features, labels), expected)


def test_batch_norm_without_classes_is_pytorchs() -> None:
    ours, theirs = layers.ClassedBatchNorm2d(4, classes=0), nn.BatchNorm2d(4)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    features = torch.randn(3, 4, 2, 2)
    assert torch.equal(ours(features), theirs(features))


@pytest.mark.parametrize(
    ("spec", "told"), [(DCGAN, "norms"), (RESNET, "norms"), (GAMES[3], "latents"), (MLP, "latents")]
)
def test_generators_are_told_the_class_by_their_batch_norms_or_else_by_the_latents(spec: Any, told: str) -> None:
    generator = make(spec, classes=CLASSES)[0]
    norms = [part for part in generator.modules() if isinstance(part, layers.ClassedBatchNorm2d)]
    assert (generator.latents.embedding is None) == (told == "norms") == bool(norms)
    assert all(norm.gains.shape == (CLASSES, norm.num_features) for norm in norms)


# Learning


@told_or_not
@every_kind
def test_every_parameter_has_a_gradient(spec: Any, classes: int) -> None:
    generator, discriminator = make(spec, classes=classes)
    labels = some_labels(6, classes=classes)
    judged = discriminator(generator(torch.randn(6, LATENTS), labels), labels)
    parameters = [*generator.parameters(), *discriminator.parameters()]
    gradients = torch.autograd.grad(judged.square().sum(), parameters)
    assert all(gradient.isfinite().all() for gradient in gradients)
    # The biases before a batch norm move nothing, and a dead ReLU's weights may rest.
    assert sum(bool(gradient.any()) for gradient in gradients) > 0.9 * len(gradients)


@told_or_not
@every_game
def test_slopes_can_be_differentiated_again(spec: Any, classes: int) -> None:
    """The derivative of R1, E |dD/dx|^2, by the weights: autograd's is that of finite differences."""
    discriminator = make(spec, classes=classes)[1].double().eval()
    images = torch.randn(4, 1, 8, 8, dtype=torch.float64, requires_grad=True)
    labels = some_labels(4, classes=classes)

    def squared_slope(*, differentiable: bool) -> Tensor:
        total = discriminator(images, labels).sum()
        (slopes,) = torch.autograd.grad(total, images, create_graph=differentiable)
        return slopes.square().sum()

    # A bias moves no slope, but through the features that it lets pass.
    weights = [weight for weight in discriminator.parameters() if weight.dim() > 1]
    gradients = torch.autograd.grad(squared_slope(differentiable=True), weights)
    directions = [torch.randn_like(weight) for weight in weights]
    expected = sum((gradient * way).sum() for gradient, way in zip(gradients, directions, strict=True))
    step, values = 1e-7, []
    with torch.no_grad():
        for sign in (1, -2):
            torch._foreach_add_(weights, directions, alpha=sign * step)
            with torch.enable_grad():
                values.append(squared_slope(differentiable=False))
    assert expected.abs() > 1e-6
    torch.testing.assert_close((values[0] - values[1]) / (2 * step), expected, rtol=1e-4, atol=1e-8)


@told_or_not
@every_kind
def test_networks_work_in_bfloat16(spec: Any, classes: int) -> None:
    generator, discriminator = make(spec, classes=classes)
    labels = some_labels(6, classes=classes)
    latents = torch.randn(6, LATENTS)
    exact = generator(latents, labels)
    with torch.autocast("cpu", torch.bfloat16):
        images = generator(latents, labels)
        judged = discriminator(images.float(), labels)
    parameters = [*generator.parameters(), *discriminator.parameters()]
    gradients = torch.autograd.grad(judged.float().sum(), parameters)
    torch.testing.assert_close(images.float(), exact, rtol=0, atol=0.1)
    assert all(gradient.isfinite().all() and gradient.dtype == torch.float32 for gradient in gradients)


# What is drawn at the start


@pytest.mark.parametrize("classes", [False, True])
@pytest.mark.parametrize("kind", ["mlp", "dcgan", "resnet", "r3gan", "vae"])
def test_weights_are_a_function_of_the_seed(tiny: Callable[..., TrainingSpec], kind: str, classes: bool) -> None:
    changes: dict[str, Any] = {"architecture": {"kind": kind, "channels": 16}, "labels": classes, "penalties": []}
    if kind == "mlp":
        del changes["architecture"]
    if kind == "vae":
        changes |= {"preset": "vae", "architecture": {"backbone": {"kind": "dcgan", "channels": 4}}}
    chance = torch.get_rng_state()
    first, again, other = (architectures.build(tiny(seed=seed, **changes)) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), chance)
    for side in ("generator", "discriminator"):
        weights = [getattr(networks, side).state_dict() for networks in (first, again, other)]
        assert all(torch.equal(weight, weights[1][key]) for key, weight in weights[0].items())
        drawn = [key for key, weight in weights[0].items() if weight.dim() > 1 and weight.unique().numel() > 1]
        assert drawn
        assert not any(torch.equal(weights[0][key], weights[2][key]) for key in drawn)


def test_labels_give_the_networks_as_many_classes_as_the_dataset_has(tiny: Callable[..., TrainingSpec]) -> None:
    networks = architectures.build(tiny(labels=True))
    assert networks.generator.latents.embedding.num_embeddings == 10
    assert networks.discriminator.projection.embedding.num_embeddings == 10
    plain = architectures.build(tiny())
    assert not [key for key in plain.discriminator.state_dict() if not key.startswith("layers.")]
    assert not [key for key in plain.generator.state_dict() if not key.startswith("layers.")]


@pytest.mark.parametrize(
    ("spec", "shape", "generator", "discriminator"),
    [
        (MlpArchitecture(), (1, 28, 28), "3d20ca51b3c79c0b", "8a0fea9d895103c4"),
        (
            MlpArchitecture(generator_norm="batch", activation="leaky_relu"),
            (3, 8, 8),
            "ff2e6cda5b2214e5",
            "06bced74332a8b1c",
        ),
        (DcganArchitecture(channels=8), (1, 28, 28), "b6621f571fe3c49d", "ead833ace17b29eb"),
        (
            DcganArchitecture(channels=4, generator_norm="none", discriminator_norm="batch"),
            (3, 32, 32),
            "90a415ce531ad1cb",
            "56f458420287c654",
        ),
    ],
    ids=name,
)
def test_networks_that_are_told_no_class_start_as_they_did_before_there_were_classes(
    spec: Any, shape: tuple[int, int, int], generator: str, discriminator: str
) -> None:
    """Names, shapes and bits of the weights that commit f92a0a4 draws."""
    torch.manual_seed(0)
    maker = architectures.REGISTRY[spec.kind]
    pair = [side(spec, image_CHW=shape, classes=0) for side in (maker.generator, maker.discriminator)]
    assert [fingerprint(network) for network in pair] == [generator, discriminator]


def fingerprint(network: nn.Module) -> str:
    digest = hashlib.sha256()
    for key, weight in network.state_dict().items():
        digest.update(f"{key}{tuple(weight.shape)}".encode())
        digest.update(weight.numpy().tobytes())
    return digest.hexdigest()[:16]


# Each kind


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
    block = make(spec, resolution=16)[1].trunk[place]
    one, two = (part for part in block.residual if isinstance(part, nn.Conv2d))
    features = torch.randn(2, one.in_channels, 16, 16)
    residual = two(one(features if place == 0 else features.relu()).relu())
    expected = F.avg_pool2d(residual + block.shortcut[1](features), 2) if place < 2 else residual + features
    torch.testing.assert_close(block(features), expected)


@told_or_not
def test_resnet_generators_blocks_are_the_papers(classes: int) -> None:
    """Miyato et al. 2018, figure 8: norm, ReLU, doubling, convolution, norm, ReLU, convolution."""
    block = make(RESNET, classes=classes)[0].blocks[0]
    norm, _, _, one, other, _, two = block.residual
    features, labels = torch.randn(4, 8, 4, 4), some_labels(4, classes=classes)
    doubled = F.interpolate(norm(features, labels).relu(), scale_factor=2)
    residual = two(other(one(doubled), labels).relu())
    expected = residual + F.interpolate(block.shortcut[0](features), scale_factor=2)
    torch.testing.assert_close(block(features, labels), expected)


def test_resnet_shortcuts_are_the_papers_which_resample_in_the_other_order() -> None:
    features = torch.randn(2, 8, 4, 4)
    up = make(RESNET)[0].blocks[0].shortcut
    torch.testing.assert_close(up(features), up[0](F.interpolate(features, scale_factor=2)))
    down = make(RESNET.model_copy(update={"discriminator_norm": "none"}), resolution=16)[1].trunk[1].shortcut
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
        features = torch.randn(2, block.branch[0].in_channels, 4, 4)
        assert torch.equal(block(features), features)


def test_r3gan_blocks_are_inverted_bottlenecks_of_grouped_convolutions() -> None:
    block = next(part for part in make(R3GAN)[1].layers if isinstance(part, r3gan._Block))
    widen, _, grouped, _, narrow = block.branch
    assert (widen.in_channels, grouped.in_channels, grouped.groups, narrow.out_channels) == (4, 8, 2, 4)
    features = torch.randn(2, 4, 8, 8)
    inside = F.leaky_relu(grouped(F.leaky_relu(widen(features), 0.2)), 0.2)
    torch.testing.assert_close(block(features), features + narrow(inside))


def test_r3gan_scales_the_weights_of_deeper_networks_down() -> None:
    """Zhang et al. 2019: by L^(-1 / (2m - 2)) = L^(-1/4), on top of He's gain."""
    spec = R3ganArchitecture(channels=64, group_width=32, expansion=2)
    for depth in (1, 16):
        torch.manual_seed(0)
        branch = r3gan._Block(spec, 64, depth=depth).branch
        for layer, fan_in in ((branch[0], 64), (branch[2], 32 * 9)):
            expected = sqrt(2 / 1.04 / fan_in) / depth**0.25
            torch.testing.assert_close(layer.weight.std().item(), expected, rtol=0.05, atol=0)
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
        drawn.append(architectures.REGISTRY[spec.kind].generator(spec, image_CHW=(1, 8, 8), classes=classes))
    ours, theirs = drawn
    assert type(ours) is type(theirs)
    assert all(torch.equal(weight, ours.state_dict()[key]) for key, weight in theirs.state_dict().items())


@pytest.mark.parametrize("backbone", [MLP, DCGAN], ids=name)
def test_vae_encodes_with_its_backbones_discriminator_but_for_the_last_layer(backbone: Any) -> None:
    encoder, judge = make(VaeArchitecture(backbone=backbone))[1].trunk, make(backbone)[1]
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
    assert torch.equal(found, found[:1].expand_as(found))


# Spectral norm


def normed(network: nn.Module) -> Iterator[nn.Module]:
    return (part for part in network.modules() if parametrize.is_parametrized(part))


@pytest.mark.parametrize("spec", SPECTRAL, ids=name)
def test_spectral_norm_divides_each_layer_by_its_largest_singular_value(spec: Any) -> None:
    discriminator = make(spec, resolution=16, classes=CLASSES)[1]
    images, labels = torch.randn(2, 1, 16, 16), torch.tensor([0, 1])
    with torch.no_grad():
        for _ in range(300):
            discriminator(images, labels)
    discriminator.eval()
    plain = [part for part in discriminator.modules() if type(part) in {nn.Conv2d, nn.Linear, nn.Embedding}]
    assert not plain, "every layer with weights is normed"
    for layer in normed(discriminator):
        original = layer.parametrizations.weight.original
        largest = torch.linalg.svdvals(original.flatten(1))[0]
        torch.testing.assert_close(layer.weight, original / largest, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("spec", SPECTRAL, ids=name)
def test_spectral_norm_learns_from_two_forward_passes_a_step(spec: Any) -> None:
    discriminator = make(spec)[1]
    real, fake = torch.randn(2, 4, 1, 8, 8)
    loss = (discriminator(real) - discriminator(fake)).square().mean()
    gradients = torch.autograd.grad(loss, list(discriminator.parameters()))
    assert all(gradient.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize("spec", SPECTRAL, ids=name)
def test_spectral_norm_goes_on_from_its_state_to_the_bit(spec: Any) -> None:
    images = torch.randn(4, 1, 8, 8)
    first = placement.place(make(spec)[1], device=CPU)
    again, stale = (placement.place(make(spec)[1], device=CPU) for _ in range(2))
    vectors = [key for key in first.state_dict() if key.endswith(("._u", "._v"))]
    assert len(vectors) == 2 * len(list(normed(first)))
    with torch.no_grad():
        for weight in first.parameters():
            weight.mul_(torch.rand_like(weight))
        for _ in range(3):
            first(images)
        again.load_state_dict(first.state_dict())
        stale.load_state_dict({key: w for key, w in first.state_dict().items() if key not in vectors}, strict=False)
        for _ in range(2):
            expected = first(images)
            assert torch.equal(again(images), expected)
            assert not torch.equal(stale(images), expected)


def test_evaluation_leaves_the_spectral_norms_vectors_alone() -> None:
    discriminator = make(RESNET)[1].eval()
    before = {key: value.clone() for key, value in discriminator.state_dict().items()}
    discriminator(torch.randn(4, 1, 8, 8))
    assert all(torch.equal(value, before[key]) for key, value in discriminator.state_dict().items())


# Independence


@pytest.mark.parametrize(
    "spec", [spec for spec in GAMES if getattr(spec, "discriminator_norm", "none") != "batch"], ids=name
)
@told_or_not
def test_a_discriminator_without_batch_norm_looks_at_each_image_alone(spec: Any, classes: int) -> None:
    discriminator = make(spec, classes=classes)[1].eval()
    images, labels = torch.randn(4, 1, 8, 8), some_labels(4, classes=classes)
    alone = [discriminator(images[n : n + 1], None if labels is None else labels[n : n + 1]) for n in range(4)]
    torch.testing.assert_close(discriminator(images, labels), torch.cat(alone))
