"""Training: `train` turns a spec and a dataset into a stream of events."""

from models.training.loop import (
    CheckpointDue,
    Compiled,
    Diverged,
    Evaluated,
    Event,
    Finished,
    Repaired,
    Snapshot,
    Tick,
    train,
)

__all__ = [
    "CheckpointDue",
    "Compiled",
    "Diverged",
    "Evaluated",
    "Event",
    "Finished",
    "Repaired",
    "Snapshot",
    "Tick",
    "train",
]
