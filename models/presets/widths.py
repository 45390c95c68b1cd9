"""The width of convolutional networks, by the images' size and the hardware.

The widest network whose cost for an image seen (`models.training.estimates`) is at most MOST_FLOPS is chosen. Two CPU
cores compute about 1e11 floating-point operations a second: 100 images or more. A GPU computes 2e13: 1,000 or more.
"""

from typing import Literal

from models.specs import TrainingSpec
from models.specs.architectures import DcganArchitecture, VaeArchitecture

Hardware = Literal["cpu", "gpu"]
MOST_FLOPS: dict[Hardware, float] = {"cpu": 1e9, "gpu": 2e10}
CHOICES = (64, 32, 16, 8)
"""Feature maps at the highest resolution."""
SCALED = ("robust", "fast", "vae")
"""The presets whose width follows the hardware; the others have the published one."""
_LARGEST: dict[Hardware, dict[int, int]] = {
    "cpu": {64: 32, 32: 64, 16: 128, 8: 1024},
    "gpu": {64: 128, 32: 256, 16: 256, 8: 1024},
}
"""For each width, the most pixels a side of images that it is chosen for."""


def channels(resolution: int, hardware: Hardware) -> int:
    return next(width for width in CHOICES if resolution <= _LARGEST[hardware][width])


def remark(spec: TrainingSpec, hardware: Hardware) -> str | None:
    """Return a sentence on the width that a preset chose for the hardware; None: it is the same for all hardware."""
    architecture = spec.architecture
    backbone = architecture.backbone if isinstance(architecture, VaeArchitecture) else architecture
    if spec.preset not in SCALED or not isinstance(backbone, DcganArchitecture):
        return None
    side = spec.dataset.facts.resolution
    cpu, gpu = channels(side, "cpu"), channels(side, "gpu")
    if cpu == gpu or backbone.channels != channels(side, hardware):
        return None
    where = "no worker has a GPU" if hardware == "cpu" else "a worker has a GPU"
    return f"architecture.channels is {backbone.channels}, because {where}: presets use {cpu} on CPUs and {gpu} on GPUs"
