"""What the routes work with, made once by the composition root."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from models.specs import TrainingSpec
from store.artifacts import Artifacts
from store.database import Database
from store.queue import Queue
from store.settings import Settings


class CorruptCheckpoint(Exception):
    """A checkpoint's file is not what its manifest says."""


@dataclass(frozen=True)
class SampleRequest:
    """Image i is a function of (checkpoint, seed, i, truncation, label) alone."""

    count: int
    seed: int
    truncation: float
    label: int | None = None
    """A class of the model's; None: an unconditional model's image, or of class i modulo the number of classes."""


@dataclass(frozen=True)
class Estimate:
    """What a spec will need. `flops_per_image` counts one training step's work for one image."""

    generator_parameters: int
    discriminator_parameters: int
    flops_per_image: float
    memory_bytes: int


class Sampler(Protocol):
    """Draws from checkpoints. A protocol, so that the API is tested without torch."""

    def grid_png(self, checkpoint_id: str, folder: Path, request: SampleRequest, *, columns: int) -> bytes:
        """A grid, or a scatter of that many points or more. Raises CorruptCheckpoint."""

    def images_npz(self, checkpoint_id: str, folder: Path, request: SampleRequest) -> bytes:
        """`images`: uint8, N x H x W x C; points float32, N x 1 x 1 x 2. Raises CorruptCheckpoint."""

    def images_zip(self, checkpoint_id: str, folder: Path, request: SampleRequest) -> bytes:
        """One PNG an image; not for points. Raises CorruptCheckpoint."""

    def estimate(self, spec: TrainingSpec) -> Estimate: ...


@dataclass(frozen=True)
class Services:
    settings: Settings
    database: Database
    queue: Queue
    artifacts: Artifacts
    sampler: Sampler
