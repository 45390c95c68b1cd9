"""Spectral norm, against singular values."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from models.runtime import placement
from tests.models.networks import CLASSES, CPU, RESNET, SPECTRAL, make, name


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
        original = layer.get_parameter("parametrizations.weight.original")
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
