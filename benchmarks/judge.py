"""The judge: FID, precision and recall by a classifier that the service does not use.

Saddle's own figures, in a run's events, come from `models.evaluators.extractors.garments`. The judge is another network
(five convolutions of up to 128 channels, which classifies 91.9 % of the test images correctly). It compares with the
test split. Command: `python -m benchmarks.judge images.npz`, key `images`, N x 28 x 28 x 1, uint8.
"""

import argparse
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from models.data import Stored, fashion_mnist, pixels
from models.evaluators import frechet, neighbours
from store.settings import Settings

WEIGHTS = Path(__file__).with_name("judge.safetensors")
CHUNK = 100
"""Images at a time: their activations fit into a cache."""
CLASSES = 10


@dataclass(frozen=True)
class Verdict:
    fid: float
    precision: float
    recall: float
    smallest_class: float
    """The share of the least drawn class."""


class Judge(nn.Module):
    """A classifier. Images are NCHW, 1x28x28, in [-1, 1]."""

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            _convolution(1, 32),
            _convolution(32, 32),
            nn.MaxPool2d(2),
            _convolution(32, 64),
            _convolution(64, 64),
            nn.MaxPool2d(2),
            _convolution(64, 128),
            nn.AvgPool2d(7),
            nn.Flatten(),
        )
        self.embedding = nn.Linear(128, 96)
        self.classes = nn.Linear(96, CLASSES)

    def forward(self, images_NCHW: Tensor) -> Tensor:
        """Return N x 96 features."""
        features: Tensor = self.embedding(self.convolutions(images_NCHW)).relu()
        return features


def judge(images_NHWC: Stored, *, folder: Path) -> Verdict:
    """Compare N grey 28x28 images, uint8, with the 10,000 test images in `folder`."""
    fake, real = _features(images_NHWC.transpose(0, 3, 1, 2)), _of_the_test_split(folder)
    found = neighbours.precision_recall(real, fake)
    shares = torch.bincount(_network().classes(fake).argmax(1), minlength=CLASSES) / len(fake)
    return Verdict(
        fid=frechet.distance(frechet.Gaussian.of(real), fake),
        precision=found["precision"].value,
        recall=found["recall"].value,
        smallest_class=float(shares.min()),
    )


@cache
def _of_the_test_split(folder: Path) -> Tensor:
    return _features(fashion_mnist.load(folder=folder, split="holdout").images_NCHW)


@torch.no_grad()
def _features(images_NCHW: Stored) -> Tensor:
    images = torch.tensor(images_NCHW)
    chunks = (images[start : start + CHUNK] for start in range(0, len(images), CHUNK))
    return torch.cat([_network()(pixels.to_float(chunk)) for chunk in chunks])


@cache
def _network() -> Judge:
    network = Judge()
    # The file of weights lacks the counters of batches.
    network.load_state_dict(load_file(WEIGHTS), strict=False)
    network.eval().requires_grad_(False)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # PyTorch's types lack this overload
    return network


def _convolution(channels_in: int, channels_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False), nn.BatchNorm2d(channels_out), nn.ReLU()
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.judge", description=__doc__)
    parser.add_argument("images", type=Path)
    with np.load(parser.parse_args().images) as archive:
        print(judge(archive["images"], folder=Settings().datasets_dir))
    return 0


if __name__ == "__main__":
    sys.exit(main())
