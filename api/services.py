"""Services: the objects that routes work with, made once by the composition root."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from models.specs import TrainingSpec
from store.artifacts import Artifacts
from store.database import Database
from store.queue import Queue
from store.settings import Settings

if TYPE_CHECKING:  # it imports torch
    from models.training.estimates import Estimate


@dataclass(frozen=True)
class SampleRequest:
    """The images to draw. Image i is a function of (checkpoint, seed, i, truncation, label) alone."""

    count: int
    seed: int
    truncation: float
    label: int | None = None
    """A class of a conditional model. With None, image i shows class i modulo the number of classes. An unconditional
    model has no classes.
    """


class Sampler(Protocol):
    """Draws from checkpoints. A protocol, so that the API is tested without torch."""

    def check(self, checkpoint_id: str, folder: Path) -> None:
        """Make sure that a checkpoint can be drawn from, without drawing. Raises CorruptCheckpoint."""

    def grid_png(self, checkpoint_id: str, folder: Path, request: SampleRequest, *, columns: int) -> bytes:
        """Draw a grid of images, or a scatter of at least as many points. Raises CorruptCheckpoint."""

    def images_npz(self, checkpoint_id: str, folder: Path, request: SampleRequest) -> bytes:
        """Draw an npz file with the array `images`: uint8, N x H x W x C; points float32, N x 1 x 1 x 2.

        Raises CorruptCheckpoint.
        """

    def images_zip(self, checkpoint_id: str, folder: Path, request: SampleRequest) -> bytes:
        """Draw a zip file with one PNG an image. Not for points. Raises CorruptCheckpoint."""

    def estimate(self, spec: TrainingSpec) -> Estimate:
        """Estimate what a spec will need."""


@dataclass(frozen=True)
class Services:
    """Everything that a route may need. The caller that makes it closes it."""

    settings: Settings
    database: Database
    queue: Queue
    artifacts: Artifacts
    sampler: Sampler
