"""The remedies by name. Each says how a failed run goes on, or why it has nothing more to offer."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from models.checkpoints.progress import Progress
from models.checkpoints.snapshot import Snapshot
from models.training.guard.remedies import roll_back
from models.training.guard.verdict import Memory, Prescription, Verdict


@dataclass(frozen=True)
class Remedy:
    prescribe: Callable[[Any, Verdict, Progress, Snapshot, Memory], Prescription | str]
    """(the guard's spec, the verdict, the progress at the failure, the last good snapshot, what it remembers) -> how to
    go on; or, in words, why it does not help any more.
    """
    settle: Callable[[Memory, int], Memory]
    """(what it remembers, images seen) -> what it remembers once a sound state is kept at that place."""


REGISTRY: dict[str, Remedy] = {"roll_back": Remedy(roll_back.prescribe, roll_back.settle)}
