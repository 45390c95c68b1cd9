"""Estimates: what a run will cost, worked out from its spec without training a step."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.utils.flop_counter import FlopCounterMode

from models import architectures, losses, specs

# Beside the parameters themselves: the gradient and Adam's two moments.
TENSORS_PER_TRAINED_PARAMETER = 4
BYTES_PER_NUMBER = 4
# The copy that the guard can go back to holds the parameters, the moments and the average, but no gradients.
TENSORS_PER_KEPT_PARAMETER = 3
# What a penalty costs for a real image and a fake, in forward passes of the discriminator. A backward pass is two, or
# one where only the images learn; a slope (1) is differentiated once more (4), the consistency's images are judged and
# learnt from.
PENALTY_PASSES = {
    "r1": 5,
    "r2": 5,
    "gradient_penalty": 6,
    "dragan": 6,
    "weight_clip": 0,
    "lecam": 0,
    "consistency": 6,
}


@dataclass(frozen=True)
class Estimate:
    generator_parameters: int
    discriminator_parameters: int
    flops_per_image: int
    """Floating-point operations of matrix products and convolutions for one image seen: forward and backward passes of
    both networks and, spread over the steps, the lazy penalties."""
    memory_bytes: int
    """Of the device: parameters, optimizers, the kept copy, the dataset and the activations of one step; the
    allocator's and the kernels' own needs come on top. A dataset that does not fit stays on the host."""


def estimate(spec: specs.TrainingSpec) -> Estimate:
    """Exact parameter counts, and costs good to about a factor of two.

    Nothing is allocated, however large the networks: they are built on the meta device.
    """
    with torch.device("meta"):
        networks = architectures.build(spec)
        latents = torch.empty(2, spec.architecture.latent_dim)
        images_NCHW = torch.empty(2, *architectures.image_CHW(spec))
        labels = torch.zeros(2, dtype=torch.int64) if spec.labels else None
        generator = _forward(networks.generator, latents, labels)
        discriminator = _forward(networks.discriminator, images_NCHW, labels)
    generator_parameters = _count(networks.generator)
    discriminator_parameters = _count(networks.discriminator)
    averaged = generator_parameters if spec.ema.half_life_images else 0
    trained = generator_parameters + discriminator_parameters
    # Real images and fakes; an encoder only sees the real ones.
    judged = 1 if spec.loss.kind == "elbo" else 2
    numbers = (
        (TENSORS_PER_TRAINED_PARAMETER + TENSORS_PER_KEPT_PARAMETER) * trained
        + 2 * averaged
        + spec.batch_size // spec.accumulation_steps * (generator.activations + judged * discriminator.activations)
    )
    facts = spec.dataset.facts
    return Estimate(
        generator_parameters=generator_parameters,
        discriminator_parameters=discriminator_parameters,
        flops_per_image=_flops_per_image(spec, generator.flops, discriminator.flops),
        memory_bytes=BYTES_PER_NUMBER * numbers + facts.images * facts.channels * facts.resolution**2,
    )


def _flops_per_image(spec: specs.TrainingSpec, generator: float, discriminator: float) -> int:
    """From the cost of one image's forward pass: a backward pass costs two, or one where no weight is learning."""
    if spec.loss.kind == "elbo":
        # Both learn from each image; then the generator draws the images that are shown.
        return round(3 * (discriminator + generator) + generator)
    turns = spec.discriminator_steps
    discriminator_learns = 2 * 3 * discriminator
    penalties = sum(PENALTY_PASSES[penalty.kind] * discriminator / penalty.every_steps for penalty in spec.penalties)
    generator_learns = 2 * generator + 2 * discriminator
    if losses.REGISTRY[spec.loss.kind].generator_compares:
        generator_learns += discriminator
    if spec.accumulation_steps > 1:
        # Fakes are drawn anew for the generator: the discriminator's were drawn without a graph.
        generator_learns += generator
    looks = 2 if spec.generator_optimizer.kind == "extra_adam" else 1
    return round(looks * (generator + discriminator_learns + penalties + generator_learns / turns))


@dataclass(frozen=True)
class _Forward:
    """One image's forward pass."""

    flops: float
    activations: int
    """Numbers that the layers put out."""


def _forward(network: nn.Module, batch: Tensor, labels: Tensor | None) -> _Forward:
    sizes: list[int] = []

    def note(_module: nn.Module, inputs: tuple[object, ...], output: Tensor) -> None:
        if output is not inputs[0]:
            sizes.append(output.numel())

    for layer in _layers(network):
        layer.register_forward_hook(note)
    with FlopCounterMode(display=False) as counter:
        network(batch, labels)
    return _Forward(counter.get_total_flops() / len(batch), sum(sizes) // len(batch))


def _layers(network: nn.Module) -> Iterator[nn.Module]:
    """The innermost modules. What norms a layer's weights is a part of that layer: it puts out no activations."""
    children = list(network.children())
    if not children or parametrize.is_parametrized(network):
        yield network
        return
    for child in children:
        yield from _layers(child)


def _count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())
