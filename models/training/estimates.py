"""Estimates of a run's cost, from its spec alone."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.utils.flop_counter import FlopCounterMode

from models import architectures, specs
from models.training import methods

# The parameter itself, its gradient and Adam's two moments.
TENSORS_PER_TRAINED_PARAMETER = 4
BYTES_PER_NUMBER = 4
# The snapshot that the guard can go back to holds the parameter and Adam's two moments, but no gradient.
TENSORS_PER_KEPT_PARAMETER = 3


@dataclass(frozen=True)
class Estimate:
    generator_parameters: int
    discriminator_parameters: int
    flops_per_image: int
    """Floating-point operations of matrix products and convolutions for one image seen: forward and backward passes of
    both networks, and lazy penalties divided by their interval."""
    memory_bytes: int
    """Bytes on the device: parameters, optimizers, the guard's snapshot, the dataset and the activations of one step.
    The allocator and the kernels need more memory of their own. A dataset that does not fit stays on the host."""


def estimate(spec: specs.TrainingSpec) -> Estimate:
    """Return exact parameter counts, and costs that are right within about a factor of two.

    No memory is allocated for the networks, because they are built on the meta device.
    """
    method = methods.REGISTRY[specs.methods.name(spec)]
    players = method.players(spec)
    with torch.device("meta"):
        networks = architectures.build(spec)
        latents = torch.empty(2, spec.architecture.latent_dim)
        images_NCHW = torch.empty(2, *architectures.image_CHW(spec))
        labels = torch.zeros(2, dtype=torch.int64) if spec.labels else None
        forwards = {
            role: _forward(network, latents if players[role].side == "g" else images_NCHW, labels)
            for role, network in networks.items()
        }
    parameters = {role: _count(network) for role, network in networks.items()}
    averaged = [role for role, player in players.items() if player.averaged and spec.ema.half_life_images]
    activations = sum(method.kept_passes[role] * forward.activations for role, forward in forwards.items())
    numbers = (
        (TENSORS_PER_TRAINED_PARAMETER + TENSORS_PER_KEPT_PARAMETER) * sum(parameters.values())
        + 2 * sum(parameters[role] for role in averaged)
        + spec.batch_size // spec.accumulation_steps * activations
    )
    facts = spec.dataset.facts
    return Estimate(
        generator_parameters=sum(number for role, number in parameters.items() if players[role].side == "g"),
        discriminator_parameters=sum(number for role, number in parameters.items() if players[role].side == "d"),
        flops_per_image=round(method.flops_per_image(spec, {role: one.flops for role, one in forwards.items()})),
        memory_bytes=BYTES_PER_NUMBER * numbers + facts.images * facts.channels * facts.resolution**2,
    )


@dataclass(frozen=True)
class _Forward:
    """The cost of one image's forward pass."""

    flops: float
    activations: int
    """Count of the numbers in the layers' outputs."""


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
    """Yield the innermost modules. A parametrization, such as a spectral norm, counts as part of its layer."""
    children = list(network.children())
    if not children or parametrize.is_parametrized(network):
        yield network
        return
    for child in children:
        yield from _layers(child)


def _count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())
