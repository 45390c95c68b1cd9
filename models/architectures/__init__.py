"""The architectures by kind: a generator and a discriminator made for each other."""

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import nn

from models import specs
from models.architectures import dcgan, mlp, r3gan, resnet, vae
from models.runtime import randomness


@dataclass(frozen=True)
class Networks:
    generator: nn.Module
    """N x latent_dim normal noise -> images_NCHW in [-1, 1]."""
    discriminator: nn.Module
    """images_NCHW in [-1, 1] -> N logits; of a vae the encoder, -> N x 2 latent_dim.

    Both take N labels, int64, as a second argument if and only if the spec has them told the classes.
    """


class Maker(Protocol):
    def __call__(self, spec: Any, /, *, image_CHW: tuple[int, int, int], classes: int) -> nn.Module: ...


@dataclass(frozen=True)
class Architecture:
    generator: Maker
    discriminator: Maker


def build(spec: specs.TrainingSpec) -> Networks:
    """Both networks on the CPU, their weights a function of the spec's seed; the process's own chance is untouched."""
    architecture = REGISTRY[spec.architecture.kind]
    shape, number = image_CHW(spec), classes(spec)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(randomness.derive(spec.seed, purpose="weights", at=0))
        return Networks(
            generator=architecture.generator(spec.architecture, image_CHW=shape, classes=number),
            discriminator=architecture.discriminator(spec.architecture, image_CHW=shape, classes=number),
        )


def image_CHW(spec: specs.TrainingSpec) -> tuple[int, int, int]:
    """The shape of one image."""
    facts = spec.dataset.facts
    return facts.channels, facts.resolution, facts.resolution


def classes(spec: specs.TrainingSpec) -> int:
    """How many classes the networks are told apart; 0 where they are told none."""
    return spec.dataset.facts.classes if spec.labels else 0


REGISTRY: dict[str, Architecture] = {
    "mlp": Architecture(mlp.Generator, mlp.Discriminator),
    "dcgan": Architecture(dcgan.Generator, dcgan.Discriminator),
    "resnet": Architecture(resnet.Generator, resnet.Discriminator),
    "r3gan": Architecture(r3gan.Generator, r3gan.Discriminator),
    "vae": Architecture(vae.generator, vae.Encoder),
}
