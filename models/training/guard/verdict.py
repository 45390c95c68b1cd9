"""What detectors are shown and say, and what remedies prescribe."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from models import specs
from models.checkpoints.snapshot import Snapshot
from models.training.state import TrainingState

Memory: TypeAlias = dict[str, float | int]
"""What a detector or a remedy remembers; saved in checkpoints. It is replaced, never written to."""
Moment = Literal["state", "tick", "evaluation"]


class Diverged(Exception):
    """Training failed and nothing was left to try. `code` is for machines, the message for people."""

    def __init__(self, code: str, *, images_seen: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.images_seen = images_seen


@dataclass(frozen=True, eq=False)
class Evidence:
    """What a detector looks at, between two steps."""

    moment: Moment
    state: TrainingState
    thorough: bool = False
    """Whether the state is to be saved next, so that all of it must be sound."""
    values: Mapping[str, float] = field(default_factory=dict)
    """The tick's values or the evaluation's figures."""


@dataclass(frozen=True)
class Verdict:
    """What is wrong. `code` names the detector."""

    code: str
    message: str


@dataclass(frozen=True)
class Prescription:
    """How a run is to go on."""

    snapshot: Snapshot
    """Where it goes back to."""
    spec: specs.TrainingSpec
    """The snapshot's, or one with the same networks and other settings."""
    progress: Mapping[str, Any]
    """Changes to the snapshot's progress, such as other noise."""
    memory: Memory
    details: dict[str, float]
    """What the event tells."""


@dataclass(frozen=True)
class Repair:
    """How a run goes on: from a snapshot, under the snapshot's spec."""

    snapshot: Snapshot
    remedy: str
    details: dict[str, float]
