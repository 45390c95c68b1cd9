"""The values that the guard passes around: evidence, verdicts, prescriptions and repairs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from models import specs
from models.checkpoints.snapshot import Snapshot
from models.training.state import TrainingState

Memory: TypeAlias = dict[str, float | int]
"""The memory of a detector or a remedy; saved in checkpoints. It is replaced, never written to."""
Moment = Literal["state", "tick", "evaluation"]


class Diverged(Exception):
    """Training failed and no remedy is left. `code` is for machines, the message for people."""

    def __init__(self, code: str, *, images_seen: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.images_seen = images_seen


@dataclass(frozen=True, eq=False)
class Evidence:
    """The inputs of a detector, between two steps."""

    moment: Moment
    state: TrainingState
    thorough: bool = False
    """Whether the state will be saved next, so that all of it must be checked."""
    values: Mapping[str, float] = field(default_factory=dict)
    """The tick's values or the evaluation's figures."""


@dataclass(frozen=True)
class Verdict:
    """A failure that a detector has found. `code` is the detector's name."""

    code: str
    message: str


@dataclass(frozen=True)
class Prescription:
    """A remedy's answer: the snapshot, spec and progress with which a run should continue."""

    snapshot: Snapshot
    """The snapshot to go back to."""
    spec: specs.TrainingSpec
    """The snapshot's spec, or one with the same networks and other settings."""
    progress: Mapping[str, Any]
    """Changes to the snapshot's progress, such as another salt."""
    memory: Memory
    details: dict[str, float]
    """Numbers for the event."""


@dataclass(frozen=True)
class Repair:
    """A prescription as applied: the run continues from the snapshot, under the snapshot's spec."""

    snapshot: Snapshot
    remedy: str
    details: dict[str, float]
