"""The remedies by name. Each prescribes how a failed run continues, or gives the reason why it cannot help."""

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
    """(the guard's spec, the verdict, the progress at the failure, the last good snapshot, its memory) -> a
    prescription, or the reason, in words, why the remedy cannot help.
    """
    settle: Callable[[Memory, int], Memory]
    """(its memory, images seen) -> its memory after a sound state has been saved at that point."""


REGISTRY: dict[str, Remedy] = {"roll_back": Remedy(roll_back.prescribe, roll_back.settle)}
