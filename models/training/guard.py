"""The guard: what a run does when it diverges."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from models import specs
from models.checkpoints.progress import Position
from models.runtime import finite
from models.training.state import Game

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


def detect(game: Game, *, thorough: bool) -> Failure | None:
    """What is wrong with a game between two steps. Waits for the device.

    The running sums tell of every loss and gradient since the tick before, the weights of themselves; `thorough` looks
    at the optimizers and averages too, as nothing that is not finite may be saved. A group of processes goes by
    what the first one finds.
    """
    suspects = {"a loss or gradient": game.meter.sums.values(), "a weight": game.parameters()}
    if thorough:
        suspects["the state"] = game.tensors()
    for suspect, tensors in suspects.items():
        if not game.group.agree(finite.all_finite(tensors)):
            return Failure("non_finite", f"{suspect} became NaN or infinite")
    return None


Remedy = Callable[[Any, Failure, Position, Position], Position]
"""(its spec, the failure, the position at the failure, the position of the last good state) -> where to go on from.

The tensors go back to the last good state. Raises Diverged when nothing is left to try.
"""


def repair(guard: specs.Guard, failure: Failure, *, failed: Position, good: Position) -> Position:
    """Where and how the run goes on after a failure. Raises Diverged."""
    return REGISTRY[guard.kind](guard, failure, failed, good)


def give_up(guard: specs.GuardOff, failure: Failure, failed: Position, good: Position) -> Position:
    del guard, good
    raise Diverged(failure.code, images_seen=failed.images_seen, message=failure.message)


def roll_back(guard: specs.GuardRepair, failure: Failure, failed: Position, good: Position) -> Position:
    """Back to the last good state, with half the learning rates and other noise."""
    if failed.repairs >= guard.max_repairs:
        raise Diverged(
            failure.code,
            images_seen=failed.images_seen,
            message=f"{failure.message}; {failed.repairs} repairs did not get the run past it",
        )
    return good.model_copy(
        update={
            "training_seconds": failed.training_seconds,
            "learning_rate_factor": failed.learning_rate_factor * LEARNING_RATE_CUT,
            "salt": failed.salt + 1,
            "repairs": failed.repairs + 1,
            "failed_at": max(failed.failed_at, failed.images_seen),
        }
    )


def kept(position: Position) -> Position:
    """The position of a state that is being kept as good: once past the furthest failure, the repairs have worked."""
    return position.model_copy(update={"repairs": 0}) if position.images_seen > position.failed_at else position


REGISTRY: dict[str, Remedy] = {"off": give_up, "repair": roll_back}
