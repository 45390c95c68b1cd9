"""Networks that are told the classes of images."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.architectures import layers
from tests.models.networks import (
    CLASSES,
    DCGAN,
    GAMES,
    LATENTS,
    MLP,
    RESNET,
    every_game,
    every_kind,
    make,
    name,
    some_labels,
)


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
    discriminator: Any = make(spec, classes=CLASSES)[1].eval()
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
    discriminator: Any = make(spec, classes=CLASSES)[1].eval()
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
    assert network.embedding is not None
    assert torch.equal(found[:, 100:], network.embedding.weight[labels])
    assert layers.ClassedLatents(5, classes=4).width == 10


def test_classed_batch_norm_scales_and_shifts_normal_features_by_class() -> None:
    norm = layers.ClassedBatchNorm2d(2, classes=3)
    features, labels = torch.randn(6, 2, 5, 5) * 3 + 1, torch.tensor([0, 1, 2, 2, 1, 0])
    normal = F.batch_norm(features, None, None, training=True)
    torch.testing.assert_close(norm(features, labels), normal)
    assert norm.gains is not None
    assert norm.biases is not None
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
    generator: Any = make(spec, classes=CLASSES)[0]
    norms = [part for part in generator.modules() if isinstance(part, layers.ClassedBatchNorm2d)]
    assert (generator.latents.embedding is None) == (told == "norms") == bool(norms)
    assert all(norm.gains is not None and norm.gains.shape == (CLASSES, norm.num_features) for norm in norms)
