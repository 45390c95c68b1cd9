"""The detectors by name. Each checks a run at one moment and reports a failure, if there is one.

To add one, write its `check` in a file of this folder and add a line to `REGISTRY`. No other file has to change.
"""

from collections.abc import Callable
from dataclasses import dataclass

from models.training.guard.detectors import non_finite
from models.training.guard.verdict import Evidence, Memory, Moment


@dataclass(frozen=True)
class Detector:
    moment: Moment
    """The moment at which the detector runs: before the state is used, after a tick, or after an evaluation."""
    check: Callable[[Evidence, Memory], tuple[str | None, Memory]]
    """(the evidence, its memory) -> a message for people if there is a failure, else None; and its new memory.

    All processes of a group must return the same.
    """


REGISTRY: dict[str, Detector] = {"non_finite": Detector("state", non_finite.check)}
