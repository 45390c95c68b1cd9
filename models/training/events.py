"""The events of a run."""

from dataclasses import dataclass
from typing import TypeAlias

from models.checkpoints.snapshot import Snapshot
from models.training.cadence import Ending


@dataclass(frozen=True)
class Tick:
    """A point of the training series: means since the last tick, by the name of the metric. All are finite."""

    images_seen: int
    values: dict[str, float]


@dataclass(frozen=True)
class Evaluated:
    """The quality figures of the generator that a checkpoint at this point would hold for sampling."""

    images_seen: int
    values: dict[str, float]
    unavailable: dict[str, str]
    """Why a metric could not be measured, by its name."""


@dataclass(frozen=True)
class Begun:
    """The state before the first step. A resumed run does not yield it."""

    images_seen: int
    snapshot: Snapshot


@dataclass(frozen=True)
class CheckpointDue:
    """A snapshot to save, free of NaN and infinity. Later steps do not change it.

    Yielded at the spec's intervals, at the end and when stopped. A run that has already failed yields none.
    """

    images_seen: int
    snapshot: Snapshot


@dataclass(frozen=True)
class Compiled:
    """Reports that the networks, or whole steps, were compiled within the step that has just ended.

    The budget includes its seconds.
    """

    images_seen: int
    seconds: float


@dataclass(frozen=True)
class Repaired:
    """Reports that the guard has taken the run back to `details["back_to_images"]` images seen."""

    images_seen: int
    detector: str
    remedy: str
    details: dict[str, float]


@dataclass(frozen=True)
class Finished:
    """The last event of a run. `early_stopped`: the evaluations have stopped getting better."""

    images_seen: int
    reason: Ending


Event: TypeAlias = Begun | Tick | Compiled | Evaluated | CheckpointDue | Repaired | Finished
