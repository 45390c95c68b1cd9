"""Training: `train` turns a spec and a dataset into a stream of events."""

from models.checkpoints.snapshot import Snapshot
from models.training.events import Begun, CheckpointDue, Compiled, Evaluated, Event, Finished, Repaired, Tick
from models.training.guard import Diverged
from models.training.loop import train

__all__ = [
    "Begun",
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
