"""Runs that are stopped and resumed, and what two runs of a spec have in common."""

import hashlib
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

from models import training
from models.checkpoints import checkpoint
from models.specs import TrainingSpec
from models.training import cadence

Run = Callable[..., list[training.Event]]

SMOOTH = {"lr": 1e-3, "eps": 0.01}
"""Settings of an Adam for runs that are compared up to rounding. With the usual eps of 1e-8, a step is as long for a
gradient of 1e-7 as for any other, and its direction depends on how a processor rounds.
"""


def comparable(run: Sequence[training.Event]) -> list[object]:
    """Return the events without their times, tensors as hashes."""
    found: list[object] = []
    for event in run:
        match event:
            case training.Tick():
                found.append((event.images_seen, event.values | {"images_per_second": None}))
            case training.Begun():
                found.append((event.images_seen, content(event.snapshot)))
            case training.CheckpointDue():
                position = event.snapshot.progress.model_copy(update={"training_seconds": 0.0})
                found.append((position, content(event.snapshot)))
            case _:
                found.append(event)
    return found


def content(state: training.Snapshot) -> dict[str, tuple[str, str]]:
    """Return the kind and the SHA-256 of every tensor."""
    return {
        f"{part}/{name}": (str(tensor.dtype), hashlib.sha256(tensor.contiguous().numpy().tobytes()).hexdigest())
        for part, tensors in state.parts().items()
        for name, tensor in tensors.items()
    }


def outcome(run: Callable[[], Sequence[training.Event]]) -> list[object]:
    """Return the comparable part of a run, or how it diverged."""
    try:
        return comparable(run())
    except training.Diverged as error:
        return [error.code, error.images_seen, str(error)]


def resumed(events: Run, spec: TrainingSpec, *, attempts: Sequence[int], folder: Path) -> list[training.Event]:
    """Return the events of a run whose attempts are stopped after these numbers of steps, and whose last is not.

    Each attempt goes on from the last checkpoint before it, which was on disk; later events come again. Events that
    only a stop causes are left out.
    """
    found: list[training.Event] = []
    resume = None
    for number, steps in enumerate(attempts):
        run = events(spec, resume=resume, stop=after(steps))
        if run[-1] != training.Finished(run[-1].images_seen, "stopped"):
            return found + run
        while run and not isinstance(run[-1], training.CheckpointDue):
            run.pop()
        if not run:
            continue
        due = run[-1]
        assert isinstance(due, training.CheckpointDue)
        place = folder / str(number)
        place.mkdir()
        checkpoint.write(place, due.snapshot)
        resume = checkpoint.read(place)
        before = due.images_seen - spec.batch_size * spec.discriminator_steps
        planned = cadence.crosses(spec.checkpoint.every_images, before=before, after=due.images_seen)
        found += run if planned else run[:-1]
    return found + events(spec, resume=resume)


def after(steps: int) -> Callable[[], bool]:
    """Return a function that stops a run after a number of steps."""
    count = itertools.count(1)
    return lambda: next(count) >= steps
