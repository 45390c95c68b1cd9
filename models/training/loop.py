"""Training: `train` turns a spec and a dataset into a stream of events."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

import torch

from models import evaluators, specs
from models.checkpoints import checkpoint
from models.checkpoints.progress import Progress
from models.checkpoints.snapshot import Snapshot
from models.data import ImageData
from models.runtime import denormals, parallel, precision
from models.training import cadence, guard, lr_schedules, methods
from models.training.cadence import Ending
from models.training.guard import Diverged
from models.training.inputs import InputPipeline
from models.training.methods import Method
from models.training.state import TrainingState

__all__ = [
    "CheckpointDue",
    "Compiled",
    "Diverged",
    "Evaluated",
    "Event",
    "Finished",
    "Repaired",
    "Snapshot",
    "Tick",
    "train",
]


@dataclass(frozen=True)
class Tick:
    """A point of the training series: means since the tick before, under the names of the metrics; all finite."""

    images_seen: int
    values: dict[str, float]


@dataclass(frozen=True)
class Evaluated:
    """The quality of the generator that a checkpoint at this place would sample from."""

    images_seen: int
    values: dict[str, float]


@dataclass(frozen=True)
class CheckpointDue:
    """A state worth keeping, free of NaN and infinity. Later steps leave it alone.

    Due at the spec's intervals, at the end and at a stop; there not, if the run has failed and has yet to notice.
    """

    images_seen: int
    snapshot: Snapshot


@dataclass(frozen=True)
class Compiled:
    """The networks, or rounds as a whole, have been compiled, within the step that ends here; its seconds are part of
    the budget.
    """

    images_seen: int
    seconds: float


@dataclass(frozen=True)
class Repaired:
    """The guard has taken the run back to `details["back_to_images"]` images seen."""

    images_seen: int
    detector: str
    remedy: str
    details: dict[str, float]


@dataclass(frozen=True)
class Finished:
    """The last event."""

    images_seen: int
    reason: Ending


Event: TypeAlias = Tick | Compiled | Evaluated | CheckpointDue | Repaired | Finished


def never() -> bool:
    return False


def train(
    spec: specs.TrainingSpec,
    *,
    dataset: ImageData,
    device: torch.device,
    resume: checkpoint.Checkpoint | None = None,
    stop: Callable[[], bool] = never,
    group: parallel.Group = parallel.SOLO,
) -> Iterator[Event]:
    """Trains until the budget is spent or `stop`, asked after every step, says so.

    Two runs of a spec on one machine yield the same events, times excepted, however often one of them was stopped and
    resumed. At one place Tick comes before Evaluated, and Evaluated before CheckpointDue.

    The processes of a `group`, all called with the same spec, dataset and checkpoint, share each batch. They yield the
    same events, their `images_per_second` excepted; `stop` and the clock are the first one's. Up to rounding, the run
    is what one process alone would make of the spec, but for what is found over a batch (the statistics of batch norm,
    the means in relativistic_average and dragan) and for chance that is not dealt (of penalties, augmentations that the
    discriminator is shown, and posteriors): these are each share's own, as with the parts of a batch.

    Until the last event, or `close`, numbers too near zero for their format's normal form are 0 in this thread.

    Raises Diverged when training failed beyond repair, ValueError if `resume` does not fit the spec or the batch cannot
    be shared.
    """
    precision.set_float32(spec.precision, device=device)
    state, method = methods.prepare(spec, device=device, group=group)
    progress = Progress()
    if resume is not None:
        state.restore(resume.snapshot)
        progress = resume.snapshot.progress
    clock = _Clock(progress.training_seconds, group=group)
    if (spent := cadence.spent(spec.budget, progress.images_seen, clock.seconds())) is not None:
        yield Finished(progress.images_seen, spent)
        return

    with denormals.flushed(), closing(InputPipeline(spec, dataset, device=device)) as pipeline:
        good = (resume and resume.snapshot.good) or state.snapshot(progress)
        yield from _steps(
            state, method, pipeline, progress=progress, good=good, clock=clock, dataset=dataset, stop=stop
        )


def _steps(
    state: TrainingState,
    method: Method,
    pipeline: InputPipeline,
    *,
    progress: Progress,
    good: Snapshot,
    clock: "_Clock",
    dataset: ImageData,
    stop: Callable[[], bool],
) -> Iterator[Event]:
    spec, group = state.spec, state.group
    compiles = spec.compile
    seen = progress.images_seen
    clock.start_lap(seen)
    while True:
        # Batch
        before = seen
        inputs = [each.part(group.rank, of=group.size) for each in pipeline.step(before, salt=progress.salt)]
        seen = before + len(inputs) * spec.batch_size
        # Discriminator, generator
        began = clock.seconds()
        fraction = lr_schedules.budget_fraction(spec.budget, images_seen=before, seconds=began)
        state.begin_step(images_seen=before, budget_fraction=fraction, guard_factor=progress.guard_factor)
        shown = method.step(state, inputs)
        # Moving average
        state.end_step(images_seen=seen, step_images=seen - before)
        seconds = clock.seconds()
        if compiles and method.has_compiled():
            compiles = False
            yield Compiled(seen, seconds - began)
            clock.start_lap(seen)

        # Tick, evaluation, guard, checkpoint
        spent = cadence.spent(spec.budget, seen, seconds)
        stopped = spent is None and group.agree(stop())
        due = cadence.due(spec, before=before, after=seen, spent=spent is not None)
        if not due and not stopped:
            continue
        progress = progress.model_copy(update={"images_seen": seen, "training_seconds": seconds})
        if due and (failure := guard.detect(state, thorough="checkpoint" in due)) is not None:
            failed, progress = progress, guard.repair(spec.guard, failure, failed=progress, good=good.progress)
            state.restore(good)
            yield _repaired(failure, failed=failed, progress=progress)
            seen = progress.images_seen
            clock.start_lap(seen)
            continue
        if "tick" in due:
            state.meter.add({"diversity": shown.diversity(group=group)})
            values = state.meter.means() | {"images_per_second": clock.images_per_second(seen)} | state.learning_rates()
            state.meter.reset()
            yield Tick(seen, values)
        if "evaluation" in due:
            yield Evaluated(seen, group.once(partial(evaluators.evaluate, state.sampled(), spec=spec, dataset=dataset)))
        progress = progress.model_copy(update={"training_seconds": clock.seconds()})
        if "checkpoint" in due:
            progress = guard.kept(progress)
            good = state.snapshot(progress)
            yield CheckpointDue(seen, good)
        elif stopped and guard.detect(state, thorough=True) is None:
            # A failure between planned checkpoints is left for the run that resumes from an earlier one to find.
            yield CheckpointDue(seen, replace(state.snapshot(progress), good=good))
        if ended := spent or ("stopped" if stopped else None):
            yield Finished(seen, ended)
            return
        clock.start_lap(seen)


def _repaired(failure: guard.Failure, *, failed: Progress, progress: Progress) -> Repaired:
    details = {
        "back_to_images": float(progress.images_seen),
        "learning_rate_factor": progress.guard_factor,
        "repairs": float(progress.guard["roll_back"]["repairs"]),
    }
    return Repaired(failed.images_seen, detector=failure.code, remedy="roll_back", details=details)


class _Clock:
    """Seconds of training over all attempts, the first process's for all, and the speed of the steps alone."""

    def __init__(self, seconds_before: float, *, group: parallel.Group) -> None:
        self._group = group
        self._start = time.monotonic() - seconds_before
        self._lap = (self._start, 0)

    def seconds(self) -> float:
        return self._group.agree(time.monotonic() - self._start)

    def start_lap(self, images_seen: int) -> None:
        self._lap = (time.monotonic(), images_seen)

    def images_per_second(self, images_seen: int) -> float:
        start, images_before = self._lap
        return (images_seen - images_before) / max(time.monotonic() - start, 1e-9)
