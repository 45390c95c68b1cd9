"""The guard: what a run does when it diverges."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from models import specs
from models.checkpoints.progress import Progress
from models.runtime import finite
from models.training.state import TrainingState

LEARNING_RATE_CUT = 0.5


class Diverged(Exception):
    """Training failed and nothing was left to try. `code` is for machines, the message for people."""

    def __init__(self, code: str, *, images_seen: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.images_seen = images_seen


@dataclass(frozen=True)
class Failure:
    """What a detector found. `code` names the detector."""

    code: str
    message: str


def detect(state: TrainingState, *, thorough: bool) -> Failure | None:
    """What is wrong with a state between two steps. Waits for the device.

    The running sums tell of every loss and gradient since the tick before, the weights of themselves; `thorough` looks
    at the optimizers and averages too, as nothing that is not finite may be saved. A group of processes goes by
    what the first one finds.
    """
    suspects = {"a loss or gradient": state.meter.sums.values(), "a weight": state.all_parameters()}
    if thorough:
        suspects["the state"] = state.tensors()
    for suspect, tensors in suspects.items():
        if not state.group.agree(finite.all_finite(tensors)):
            return Failure("non_finite", f"{suspect} became NaN or infinite")
    return None


Remedy = Callable[[Any, Failure, Progress, Progress], Progress]
"""(its spec, the failure, the progress at the failure, the progress of the last good state) -> where to go on from.

The tensors go back to the last good state. Raises Diverged when nothing is left to try.
"""


def repair(guard: specs.Guard, failure: Failure, *, failed: Progress, good: Progress) -> Progress:
    """Where and how the run goes on after a failure. Raises Diverged."""
    return REGISTRY[guard.kind](guard, failure, failed, good)


def give_up(guard: specs.GuardOff, failure: Failure, failed: Progress, good: Progress) -> Progress:
    del guard, good
    raise Diverged(failure.code, images_seen=failed.images_seen, message=failure.message)


def roll_back(guard: specs.GuardRepair, failure: Failure, failed: Progress, good: Progress) -> Progress:
    """Back to the last good state, with half the learning rates and other noise."""
    repairs, failed_at = _remembered(failed)
    if repairs >= guard.max_repairs:
        raise Diverged(
            failure.code,
            images_seen=failed.images_seen,
            message=f"{failure.message}; {repairs} repairs did not get the run past it",
        )
    memory = {"repairs": repairs + 1, "failed_at": max(failed_at, failed.images_seen)}
    return good.model_copy(
        update={
            "training_seconds": failed.training_seconds,
            "guard_factor": failed.guard_factor * LEARNING_RATE_CUT,
            "salt": failed.salt + 1,
            "guard": failed.guard | {"roll_back": memory},
        }
    )


def kept(progress: Progress) -> Progress:
    """The progress of a state that is being kept as good: once past the furthest failure, the repairs have worked."""
    repairs, failed_at = _remembered(progress)
    if not repairs or progress.images_seen <= failed_at:
        return progress
    memory = {"repairs": 0, "failed_at": failed_at}
    return progress.model_copy(update={"guard": progress.guard | {"roll_back": memory}})


def _remembered(progress: Progress) -> tuple[int, int]:
    """The repairs since a good state was kept past the furthest failure, and the images seen at that failure."""
    memory = progress.guard.get("roll_back", {})
    return int(memory.get("repairs", 0)), int(memory.get("failed_at", 0))


REGISTRY: dict[str, Remedy] = {"off": give_up, "repair": roll_back}
