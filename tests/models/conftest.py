"""Small specs, datasets and runs for the library's tests."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models import data, presets, training
from models.checkpoints import checkpoint
from models.specs import TrainingSpec

CPU = torch.device("cpu")
TINY: dict[str, Any] = {
    "dataset": {"kind": "builtin", "name": "digits"},
    "architecture": {"latent_dim": 8, "generator_widths": [16, 16], "discriminator_widths": [16, 16]},
    "batch_size": 32,
    "budget": {"images": 64, "seconds": None},
    "metrics": {"every_images": 128},
    "checkpoint": {"every_images": 10**9},
}


@pytest.fixture(scope="session")
def tiny() -> Callable[..., TrainingSpec]:
    """Return a function that makes a spec of two small steps on the digits, with changes."""
    return lambda **changes: presets.resolve(TINY | changes)


@pytest.fixture(scope="session")
def digits(tiny: Callable[..., TrainingSpec]) -> data.ImageData:
    return data.load(tiny().dataset, folder=Path("/nonexistent"))


@pytest.fixture(scope="session")
def noise_garments() -> data.ImageData:
    """10,000 images of Fashion-MNIST's shape that need no download."""
    chance = np.random.default_rng(0)
    images = chance.integers(0, 256, (10_000, 1, 28, 28), np.uint8)
    return data.ImageData(images_NCHW=images, labels=np.zeros(10_000, np.int64))


@pytest.fixture(scope="session")
def events(digits: data.ImageData) -> Callable[..., list[training.Event]]:
    """Return a function that lists all events of a run, on the digits by default."""

    usual: dict[str, Any] = {"dataset": digits, "device": CPU}

    def run(spec: TrainingSpec, **how: Any) -> list[training.Event]:
        return list(training.train(spec, **(usual | how)))

    return run


@pytest.fixture(scope="session")
def state(tiny: Callable[..., TrainingSpec], events: Callable[..., list[training.Event]]) -> training.Snapshot:
    """A state after two steps, with a tick under way."""
    spec = tiny(budget={"images": 10**6, "seconds": None})
    asked = iter(range(100))
    run = events(spec, stop=lambda: next(asked) >= 2)
    return [event.snapshot for event in run if isinstance(event, training.CheckpointDue)][-1]


@pytest.fixture(scope="session")
def kept() -> Callable[[training.Snapshot], checkpoint.Checkpoint]:
    """Return a function that writes a state and reads it back as a checkpoint."""

    def keep(state: training.Snapshot) -> checkpoint.Checkpoint:
        manifest = checkpoint.Manifest(
            images_seen=state.progress.images_seen, spec=state.spec, progress=state.progress, files={}, sha256=""
        )
        return checkpoint.Checkpoint(manifest, state)

    return keep
