"""Tasks: specs of the presets, and images of noise in their shape, which need no download and no other library."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from models import data, presets
from models.specs import TrainingSpec

IMAGES = 4096
CLASSES = 10
QUIET: dict[str, Any] = {
    "evaluation": {"metrics": []},
    "checkpoint": {"every_images": 10**9},
    "guard": {"kind": "off"},
}
SMOOTH = {"eps": 0.01}
"""Adam's setting for runs that are compared up to rounding. With the usual eps of 1e-8, a step is as long for a
gradient of 1e-7 as for any other, and its direction depends on how the gradient was rounded.
"""


@dataclass(frozen=True)
class Bench:
    """The device that checks run on, and how much they do."""

    device: torch.device
    small: bool
    """Whether to use few small images and narrow networks, as on a processor."""
    seconds: float
    """The seconds of one measurement of speed."""

    @property
    def on_gpu(self) -> bool:
        return self.device.type == "cuda"

    def spec(self, preset: str, *, resolution: int | None = None, **changes: Any) -> TrainingSpec:
        """Return a preset's spec for Fashion-MNIST, or for RGB images of a resolution; small ones for digits."""
        name = "digits" if self.small else "fashion-mnist" if resolution is None else "stacked-fashion"
        spec = presets.resolve({"preset": preset, "dataset": {"name": name}} | QUIET | changes)
        if resolution is not None and not self.small:
            # `model_copy` does not apply the rule that a dataset has its own resolution.
            facts = spec.dataset.facts.model_copy(update={"resolution": resolution})
            spec = spec.model_copy(update={"dataset": spec.dataset.model_copy(update={"facts": facts})})
        if self.small and hasattr(spec.architecture, "channels"):
            spec = spec.model_copy(update={"architecture": spec.architecture.model_copy(update={"channels": 8})})
        return spec


def noise(spec: TrainingSpec) -> data.ImageData:
    """Return images of the spec's shape with uniformly random pixels, and random classes."""
    chance = np.random.default_rng(0)
    facts = spec.dataset.facts
    shape = IMAGES, facts.channels, facts.resolution, facts.resolution
    images = chance.integers(0, 256, shape, np.uint8)
    return data.ImageData(images_NCHW=images, labels=chance.integers(0, CLASSES, IMAGES, np.int64))
