"""The feature extractor of Fashion-MNIST: a small classifier of garments, shipped with its weights."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from models.data import pixels
from models.runtime import placement

WEIGHTS = Path(__file__).with_name("garments.safetensors")
REPORT = Path(__file__).with_name("garments.json")
"""A report on how the weights were made and their accuracy. `models.evaluators.train_garments` writes both files."""
FEATURES = 96
CHUNK = 500


class Garments(nn.Module):
    """A classifier with five convolutions, 96 features and ten classes. Images are NCHW, 1x28x28, in [-1, 1]."""

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            *_convolution(1, 16),
            *_convolution(16, 32, stride=2),
            *_convolution(32, 32),
            *_convolution(32, 64, stride=2),
            *_convolution(64, 64),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )
        self.embedding = nn.Sequential(nn.Linear(64, FEATURES), nn.ReLU())
        self.classes = nn.Linear(FEATURES, 10)

    def features(self, images_NCHW: Tensor) -> Tensor:
        """Return N x 96 features, taken after the last ReLU."""
        embedded: Tensor = self.embedding(self.convolutions(images_NCHW))
        return embedded

    def forward(self, images_NCHW: Tensor) -> Tensor:
        """Return N x 10 class logits."""
        logits: Tensor = self.classes(self.features(images_NCHW))
        return logits


def _convolution(channels_in: int, channels_out: int, *, stride: int = 1) -> tuple[nn.Module, ...]:
    return (
        nn.Conv2d(channels_in, channels_out, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(),
    )


@cache
def _network(device: torch.device) -> Garments:
    network = Garments()
    network.load_state_dict(load_file(WEIGHTS))
    return placement.place(network, device=device).eval().requires_grad_(False)


@torch.no_grad()
def features(images_NCHW: Tensor) -> Tensor:
    """Return the N x 96 features, float32, of uint8 images 1x28x28, computed on the images' device."""
    network = _network(images_NCHW.device)
    return torch.cat([network.features(pixels.to_float(chunk)) for chunk in _chunks(images_NCHW)])


@torch.no_grad()
def classes(images_NCHW: Tensor) -> Tensor:
    """Return the likeliest class of each channel of uint8 images Cx28x28, N x C, int64. A channel shows one garment."""
    network = _network(images_NCHW.device)
    garments_N1HW = images_NCHW.flatten(0, 1)[:, None]
    found = [network(pixels.to_float(chunk)).argmax(1) for chunk in _chunks(garments_N1HW)]
    return torch.cat(found).view(images_NCHW.shape[:2])


def _chunks(images_NCHW: Tensor) -> Iterator[Tensor]:
    return (images_NCHW[start : start + CHUNK] for start in range(0, len(images_NCHW), CHUNK))
