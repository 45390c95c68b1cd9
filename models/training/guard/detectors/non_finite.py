"""The detector of NaN and infinity."""

from models.runtime import finite
from models.training.guard.verdict import Evidence, Memory


def check(evidence: Evidence, memory: Memory) -> tuple[str | None, Memory]:
    """Check every loss, gradient and weight; with `thorough` the optimizers and averages too. Waits for the device.

    The running sums cover every loss and gradient since the last tick. All processes of a group use the first one's
    result.
    """
    state = evidence.state
    suspects = {"a loss or gradient": state.meter.sums.values(), "a weight": state.all_parameters()}
    if evidence.thorough:
        suspects["the state"] = state.tensors()
    for suspect, tensors in suspects.items():
        if not state.group.agree(finite.all_finite(tensors)):
            return f"{suspect} became NaN or infinite", memory
    return None, memory
