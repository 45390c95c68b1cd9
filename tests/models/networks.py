"""Small networks of every architecture, for the tests of them."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models import architectures
from models.specs import DcganArchitecture, MlpArchitecture, R3ganArchitecture, ResnetArchitecture, VaeArchitecture

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
    MLP.model_copy(update={"generator_norm": "batch", "generator_widths": (16, 12), "share_channels": True}),
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
    """Make the pair of networks. Weights that start at zero or one are moved away, so that every layer matters."""
    torch.manual_seed(0)
    architecture, shape = architectures.REGISTRY[spec.kind], (channels, resolution, resolution)
    pair = tuple(make(spec, image_CHW=shape, classes=classes) for make in architecture.networks.values())
    with torch.no_grad():
        for weight in (weight for network in pair for weight in network.parameters()):
            weight.add_(torch.randn_like(weight) / 10)
    return pair[0], pair[1]


def some_labels(number: int, *, classes: int) -> Tensor | None:
    return torch.arange(number) % classes if classes else None


def shapes(network: nn.Module, *, dimensions: int) -> list[tuple[int, ...]]:
    return [tuple(weight.shape) for weight in network.parameters() if weight.dim() == dimensions]
