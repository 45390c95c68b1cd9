"""The architectures by kind: sets of networks that are designed for each other.

To add one, write its networks in a file of this folder and add a line to `REGISTRY`. Write its spec class in
`models/specs/architectures.py`, name it in the union `Architecture` there, and export it from
`models/specs/__init__.py`. docs/extending.md shows an example.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from models import specs
from models.architectures import dcgan, mlp, r3gan, resnet, vae
from models.runtime import randomness


class Maker(Protocol):
    """Make a network from the architecture's spec.

    A generator maps N x latent_dim normal noise to images_NCHW in [-1, 1]. A discriminator maps such images to N
    logits. An encoder maps them to N x 2 latent_dim. Each network takes a condition as its second argument: N labels,
    int64, if `classes` is above 0, else None.
    """

    def __call__(self, spec: Any, /, *, image_CHW: tuple[int, int, int], classes: int) -> nn.Module: ...


@dataclass(frozen=True)
class Architecture:
    """The makers of an architecture's networks, by role. The networks are built in this order."""

    networks: Mapping[str, Maker]


def build(spec: specs.TrainingSpec) -> dict[str, nn.Module]:
    """Return the networks by role, on the CPU. Their weights are a function of the spec's seed.

    The process's global random generator is not changed.
    """
    architecture = REGISTRY[spec.architecture.kind]
    shape, number = image_CHW(spec), classes(spec)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(randomness.derive(spec.seed, purpose="weights", at=0))
        return {
            role: make(spec.architecture, image_CHW=shape, classes=number)
            for role, make in architecture.networks.items()
        }


def mixes_images(network: nn.Module) -> bool:
    """Return whether a layer's output for an image depends on the other images of the batch.

    A layer declares this by an attribute `mixes_images`. PyTorch's batch norms need none: in training mode they mix.
    """
    return any(isinstance(layer, _BatchNorm) or getattr(layer, "mixes_images", False) for layer in network.modules())


def image_CHW(spec: specs.TrainingSpec) -> tuple[int, int, int]:
    """Return the shape of one image."""
    facts = spec.dataset.facts
    return facts.channels, facts.resolution, facts.resolution


def classes(spec: specs.TrainingSpec) -> int:
    """Return the number of classes that the networks are conditioned on; 0 if they are unconditional."""
    return spec.dataset.facts.classes if spec.labels else 0


def _pair(module: Any) -> Architecture:
    return Architecture({"generator": module.Generator, "discriminator": module.Discriminator})


REGISTRY: dict[str, Architecture] = {
    "mlp": _pair(mlp),
    "dcgan": _pair(dcgan),
    "resnet": _pair(resnet),
    "r3gan": _pair(r3gan),
    "vae": Architecture({"generator": vae.generator, "encoder": vae.Encoder}),
}
