"""The policy: runs the detectors, and tries the remedies of a spec's guard in order."""

from dataclasses import replace

from models import specs
from models.checkpoints import forks
from models.checkpoints.progress import Progress
from models.checkpoints.snapshot import Snapshot
from models.training.guard import detectors, remedies
from models.training.guard.verdict import Diverged, Evidence, Prescription, Repair, Verdict

LADDERS: dict[str, tuple[str, ...]] = {"off": (), "repair": ("roll_back",)}
"""The names of the remedies by the kind of guard, in the order in which they are tried."""


def check(evidence: Evidence, progress: Progress) -> tuple[Verdict | None, Progress]:
    """Run the detectors of a moment in order, up to the first that finds a failure. Return its verdict, if any.

    The returned progress holds the detectors' memories.
    """
    for name, detector in detectors.REGISTRY.items():
        if detector.moment == evidence.moment:
            message, memory = detector.check(evidence, progress.guard.get(name, {}))
            progress = _remembering(progress, name, memory)
            if message is not None:
                return Verdict(name, message), progress
    return None, progress


def repair(guard: specs.Guard, verdict: Verdict, *, failed: Progress, good: Snapshot) -> Repair:
    """Return the repair with which the run continues after a failure. Raises Diverged if no remedy is left."""
    reasons = [verdict.message]
    for name in LADDERS[guard.kind]:
        memory = failed.guard.get(name, {})
        answer = remedies.REGISTRY[name].prescribe(guard, verdict, failed, good, memory)
        if isinstance(answer, Prescription):
            return _applied(answer, name, failed=failed)
        reasons.append(answer)
    raise Diverged(verdict.code, images_seen=failed.images_seen, message="; ".join(reasons))


def settled(progress: Progress) -> Progress:
    """Return the progress of a sound state that is about to be saved, with the remedies' memories updated."""
    for name, remedy in remedies.REGISTRY.items():
        memory = remedy.settle(progress.guard.get(name, {}), progress.images_seen)
        progress = _remembering(progress, name, memory)
    return progress


def _applied(prescription: Prescription, remedy: str, *, failed: Progress) -> Repair:
    """Return the repair with the snapshot to continue from. If the spec changes, the snapshot is made like a fork's.

    Seconds and memories continue from the failure.
    """
    snapshot = prescription.snapshot
    changed = prescription.spec != snapshot.spec
    if changed:
        snapshot = forks.under(snapshot, prescription.spec)
    progress = snapshot.progress.model_copy(
        update={
            "training_seconds": failed.training_seconds,
            "guard_factor": failed.guard_factor,
            "guard": failed.guard,
            "amended": failed.amended or changed,
            **prescription.progress,
        }
    )
    progress = _remembering(progress, remedy, prescription.memory)
    details = {"back_to_images": float(progress.images_seen)} | prescription.details
    return Repair(replace(snapshot, progress=progress, good=None), remedy, details)


def _remembering(progress: Progress, name: str, memory: dict[str, float | int]) -> Progress:
    if memory == progress.guard.get(name, {}):
        return progress
    return progress.model_copy(update={"guard": progress.guard | {name: memory}})
