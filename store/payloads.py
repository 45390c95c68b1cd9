"""The data of an event by its type: what writers store, the API documents and viewers read."""

from dataclasses import asdict, dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True)
class Reason:
    """Why a job is in its status: a code for programs, a message for people."""

    code: str
    message: str


@dataclass(frozen=True)
class StateChange:
    """Type `state`: the job's status changed."""

    status: str
    previous: str | None
    """Null when the job was created."""
    reason: Reason | None
    attempt: int


@dataclass(frozen=True)
class CheckpointSaved:
    """Type `checkpoint`: a checkpoint was stored."""

    id: str
    size_bytes: int
    quality: dict[str, float] | None
    """The figures of the evaluation at this point. Null where none was due."""


@dataclass(frozen=True)
class GuardRepair:
    """Type `guard`: a detector found a failure and a remedy was applied."""

    detector: str
    remedy: str
    details: dict[str, float]
    """Numbers by name. `back_to_images` is where the run continues."""


@dataclass(frozen=True)
class Message:
    """Type `log`: a line for people."""

    message: str


Figures: TypeAlias = dict[str, float]
"""Types `metrics` and `evaluation`: finite numbers by the name of the figure."""

Payload: TypeAlias = StateChange | CheckpointSaved | GuardRepair | Message | Figures

BY_TYPE: dict[str, Any] = {
    "state": StateChange,
    "metrics": Figures,
    "checkpoint": CheckpointSaved,
    "evaluation": Figures,
    "guard": GuardRepair,
    "log": Message,
}


def encode(payload: Payload) -> dict[str, Any]:
    """Return the payload as JSON values."""
    return payload if isinstance(payload, dict) else asdict(payload)
