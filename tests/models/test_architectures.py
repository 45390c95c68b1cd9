"""Networks draw images and logits of the right shape and range, from the spec's seed alone."""

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models import architectures
from models.specs import DcganArchitecture, MlpArchitecture, R3ganArchitecture, ResnetArchitecture, TrainingSpec
from models.specs.architectures import halvings
from tests.models.networks import (
    GAMES,
    LATENTS,
    MLP,
    every_game,
    every_kind,
    make,
    name,
    some_labels,
    told_or_not,
)

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
    """Autograd's derivative of R1, E |dD/dx|^2, by the weights is that of finite differences."""
    discriminator = make(spec, classes=classes)[1].double().eval()
    images = torch.randn(4, 1, 8, 8, dtype=torch.float64, requires_grad=True)
    labels = some_labels(4, classes=classes)

    def squared_slope(*, differentiable: bool) -> Tensor:
        total = discriminator(images, labels).sum()
        (slopes,) = torch.autograd.grad(total, images, create_graph=differentiable)
        return slopes.square().sum()

    # A bias moves no slope, but through the features that it lets pass.
    weights: list[Tensor] = [weight for weight in discriminator.parameters() if weight.dim() > 1]
    gradients = torch.autograd.grad(squared_slope(differentiable=True), weights)
    directions = [torch.randn_like(weight) for weight in weights]
    expected = torch.stack([(gradient * way).sum() for gradient, way in zip(gradients, directions, strict=True)]).sum()
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
    for side in first:
        weights = [networks[side].state_dict() for networks in (first, again, other)]
        assert all(torch.equal(weight, weights[1][key]) for key, weight in weights[0].items())
        drawn = [key for key, weight in weights[0].items() if weight.dim() > 1 and weight.unique().numel() > 1]
        assert drawn
        assert not any(torch.equal(weights[0][key], weights[2][key]) for key in drawn)


def test_labels_give_the_networks_as_many_classes_as_the_dataset_has(tiny: Callable[..., TrainingSpec]) -> None:
    networks = architectures.build(tiny(labels=True))
    assert networks["generator"].get_submodule("latents.embedding").num_embeddings == 10
    assert networks["discriminator"].get_submodule("projection.embedding").num_embeddings == 10
    plain = architectures.build(tiny())
    assert not [key for key in plain["discriminator"].state_dict() if not key.startswith("layers.")]
    assert not [key for key in plain["generator"].state_dict() if not key.startswith("layers.")]


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
    architecture = architectures.REGISTRY[spec.kind]
    pair = [make(spec, image_CHW=shape, classes=0) for make in architecture.networks.values()]
    assert [fingerprint(network) for network in pair] == [generator, discriminator]


def fingerprint(network: nn.Module) -> str:
    digest = hashlib.sha256()
    for key, weight in network.state_dict().items():
        digest.update(f"{key}{tuple(weight.shape)}".encode())
        digest.update(weight.numpy().tobytes())
    return digest.hexdigest()[:16]


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
