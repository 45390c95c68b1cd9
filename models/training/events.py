"""The events of a run."""

from dataclasses import dataclass
from typing import TypeAlias

from models.checkpoints.snapshot import Snapshot
from models.training.cadence import Ending


@dataclass(frozen=True)
class Tick:
    """A point of the training series: means since the last tick, under the names of the metrics; all finite."""

    images_seen: int
    values: dict[str, float]


@dataclass(frozen=True)
class Evaluated:
    """The quality of the generator that a checkpoint at this place would sample from."""

    images_seen: int
    values: dict[str, float]


@dataclass(frozen=True)
class CheckpointDue:
    """A snapshot worth keeping, free of NaN and infinity. Later steps leave it alone.

    Yielded at the spec's intervals, at the end and when stopped. A run that has already failed yields none.
    """

    images_seen: int
    snapshot: Snapshot


@dataclass(frozen=True)
class Compiled:
    """The networks, or steps as a whole, were compiled within the step that ends here.

    Its seconds are part of the budget.
    """

    images_seen: int
    seconds: float


@dataclass(frozen=True)
class Repaired:
    """The guard has taken the run back to `details["back_to_images"]` images seen."""

    images_seen: int
    detector: str
    remedy: str
    details: dict[str, float]


@dataclass(frozen=True)
class Finished:
    """The last event."""

    images_seen: int
    reason: Ending


Event: TypeAlias = Tick | Compiled | Evaluated | CheckpointDue | Repaired | Finished
