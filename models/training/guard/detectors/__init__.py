"""The detectors by name. Each looks at one moment of a run and says what is wrong there, if anything."""

from collections.abc import Callable
from dataclasses import dataclass

from models.training.guard.detectors import non_finite
from models.training.guard.verdict import Evidence, Memory, Moment


@dataclass(frozen=True)
class Detector:
    moment: Moment
    """When it looks: before anything is made of the state, after a tick, or after an evaluation."""
    look: Callable[[Evidence, Memory], tuple[str | None, Memory]]
    """(the evidence, what it remembers) -> a message for people if something is wrong, and what it remembers now.

    The processes of a group must come to the same answer.
    """


REGISTRY: dict[str, Detector] = {"non_finite": Detector("state", non_finite.look)}
