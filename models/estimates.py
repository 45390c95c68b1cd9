"""Estimates: what a run will cost, worked out from its spec without training a step."""

from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from models import architectures, losses
from models import spec as specs

# Beside the parameters themselves: the gradient and Adam's two moments.
TENSORS_PER_TRAINED_PARAMETER = 4
BYTES_PER_NUMBER = 4
# The copy that the guard can go back to holds the parameters, the moments and the average, but no gradients.
TENSORS_PER_KEPT_PARAMETER = 3


@dataclass(frozen=True)
class Estimate:
    generator_parameters: int
    discriminator_parameters: int
    flops_per_image: int
    """Floating-point operations of matrix products and convolutions for one image seen: forward and backward passes of
    both networks and, spread over the steps, the lazy penalties."""
    memory_bytes: int
    """Of the device: parameters, optimizers, the kept copy, the dataset and the activations of one step; the
    allocator's and the kernels' own needs come on top."""


def estimate(spec: specs.TrainingSpec) -> Estimate:
    """Exact parameter counts, and costs good to about a factor of two.

    Nothing is allocated, however large the networks: they are built on the meta device.
    """
    with torch.device("meta"):
        networks = architectures.build(spec)
        latents = torch.empty(2, spec.architecture.latent_dim)
        images_NCHW = torch.empty(2, *architectures.image_CHW(spec))
        generator = _forward(networks.generator, latents)
        discriminator = _forward(networks.discriminator, images_NCHW)
    generator_parameters = _count(networks.generator)
    discriminator_parameters = _count(networks.discriminator)
    averaged = generator_parameters if spec.ema.half_life_images else 0
    trained = generator_parameters + discriminator_parameters
    numbers = (
        (TENSORS_PER_TRAINED_PARAMETER + TENSORS_PER_KEPT_PARAMETER) * trained
        + 2 * averaged
        + spec.batch_size * (generator.activations + 2 * discriminator.activations)
    )
    facts = spec.dataset.facts
    return Estimate(
        generator_parameters=generator_parameters,
        discriminator_parameters=discriminator_parameters,
        flops_per_image=_flops_per_image(spec, generator.flops, discriminator.flops),
        memory_bytes=BYTES_PER_NUMBER * numbers + facts.images * facts.channels * facts.resolution**2,
    )


def _flops_per_image(spec: specs.TrainingSpec, generator: float, discriminator: float) -> int:
    """From the cost of one image's forward pass: a backward pass costs two, or one where no weight is learning.

    A penalty differentiates the discriminator for one image, and that derivative once more.
    """
    turns = spec.discriminator_steps
    discriminator_learns = 2 * 3 * discriminator
    penalties = sum(5 * discriminator / penalty.every_steps for penalty in spec.penalties)
    generator_learns = 2 * generator + 2 * discriminator
    if losses.REGISTRY[spec.loss.kind].generator_compares:
        generator_learns += discriminator
    return round(generator + discriminator_learns + penalties + generator_learns / turns)


@dataclass(frozen=True)
class _Forward:
    """One image's forward pass."""

    flops: float
    activations: int
    """Numbers that the layers put out."""


def _forward(network: nn.Module, batch: torch.Tensor) -> _Forward:
    sizes: list[int] = []

    def note(_module: nn.Module, _inputs: object, output: torch.Tensor) -> None:
        sizes.append(output.numel())

    for layer in network.modules():
        if not list(layer.children()):
            layer.register_forward_hook(note)
    with FlopCounterMode(display=False) as counter:
        network(batch)
    return _Forward(counter.get_total_flops() / len(batch), sum(sizes) // len(batch))


def _count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())
