"""Roll back: return to the last good state, with half the learning rates and other random numbers."""

from models import specs
from models.checkpoints.progress import Progress
from models.checkpoints.snapshot import Snapshot
from models.training.guard.verdict import Memory, Prescription, Verdict

LEARNING_RATE_CUT = 0.5


def prescribe(
    guard: specs.GuardRepair, verdict: Verdict, failed: Progress, good: Snapshot, memory: Memory
) -> Prescription | str:
    """Prescribe the last good snapshot, or return the reason why `max_repairs` is reached.

    The memory holds `repairs`, the number of repairs since a sound state was saved past the furthest failure, and
    `failed_at`, the images seen at that failure.
    """
    del verdict
    repairs, failed_at = int(memory.get("repairs", 0)), int(memory.get("failed_at", 0))
    if repairs >= guard.max_repairs:
        return f"{repairs} repairs did not get the run past it"
    factor = failed.guard_factor * LEARNING_RATE_CUT
    return Prescription(
        snapshot=good,
        spec=good.spec,
        progress={"guard_factor": factor, "salt": failed.salt + 1},
        memory={"repairs": repairs + 1, "failed_at": max(failed_at, failed.images_seen)},
        details={"learning_rate_factor": factor, "repairs": float(repairs + 1)},
    )


def settle(memory: Memory, images_seen: int) -> Memory:
    """Reset the number of repairs once the run is past the furthest failure, because they have worked."""
    return memory | {"repairs": 0} if memory and images_seen > memory["failed_at"] else memory
