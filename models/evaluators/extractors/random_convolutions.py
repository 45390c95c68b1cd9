"""Features of fixed random convolutions: a distance for images of any size and kind, cheap enough for every probe.

Three layers of stride 2 with 64 channels and leaky ReLUs, whose weights are drawn from a seed and never trained. The
averages of the last maps are the features. They show blur, noise, wrong colours and collapse, but not a rare kind of
image that is left out.
"""

from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.runtime import placement

SEED = 20_261_127
CHANNELS = 64
FEATURES = CHANNELS
SMALLEST = 8


@cache
def network(device: torch.device, channels: int) -> nn.Sequential:
    """Return the network for images of some channels. Its weights are the same on every machine."""
    source = torch.Generator().manual_seed(SEED + channels)
    layers: list[nn.Module] = []
    entries = channels
    for _ in range(3):
        layer = nn.Conv2d(entries, CHANNELS, 3, stride=2, padding=1, bias=False)
        with torch.no_grad():
            layer.weight.normal_(0, (2 / (9 * entries)) ** 0.5, generator=source)
        layers += [layer, nn.LeakyReLU(0.2)]
        entries = CHANNELS
    return placement.place(nn.Sequential(*layers), device=device).eval().requires_grad_(False)


@torch.no_grad()
def features(stored_NCHW: Tensor) -> Tensor:
    """Return the N x 64 features, float32, of uint8 images, or of points."""
    images = stored_NCHW.float()
    if stored_NCHW.dtype == torch.uint8:
        images = images.div_(127.5).sub_(1)
    if images.shape[2] < SMALLEST:
        images = functional.interpolate(images, size=(SMALLEST, SMALLEST), mode="nearest")
    maps: Tensor = network(stored_NCHW.device, images.shape[1])(images)
    return maps.mean((2, 3))
