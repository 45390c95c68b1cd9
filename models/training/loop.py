"""The training loop. A run is a sequence of segments; each trains under one spec, from a snapshot or from the start."""

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial

import torch

from models import evaluators, specs
from models.checkpoints import checkpoint
from models.checkpoints.progress import Progress
from models.checkpoints.snapshot import Snapshot
from models.data import ImageData
from models.evaluators import References
from models.runtime import denormals, parallel, precision
from models.training import cadence, guard, lr_schedules, methods, patience
from models.training.cadence import Due, Ending, Spent
from models.training.clock import Clock
from models.training.events import Begun, CheckpointDue, Compiled, Evaluated, Event, Finished, Repaired, Tick
from models.training.guard import Evidence, Verdict
from models.training.inputs import InputPipeline
from models.training.methods import Method, Shown
from models.training.state import TrainingState


def never() -> bool:
    return False


def train(
    spec: specs.TrainingSpec,
    *,
    dataset: ImageData,
    device: torch.device,
    references: References | None = None,
    resume: checkpoint.Checkpoint | None = None,
    stop: Callable[[], bool] = never,
    group: parallel.Group = parallel.SOLO,
) -> Iterator[Event]:
    """Train until the budget or the patience is spent, or until `stop`, called after every step, returns true.

    Evaluations compare with `references`; None compares with the training images.

    Two runs of a spec with a budget of images yield the same events on one machine, except for times, even if one of
    them was stopped and resumed. With a budget of seconds, learning rates and the number of steps depend on the speed.
    A run whose spec the guard has changed resumes under the changed spec. After a step, Tick comes before Evaluated,
    and Evaluated before CheckpointDue.

    The processes of a `group` split each batch evenly. All are called with the same spec, dataset and checkpoint. They
    yield the same events, except for `images_per_second`; only the first process's `stop` and clock count. The run is
    that of a single process, up to rounding and with two exceptions. Each process uses its own share for statistics
    over a batch (batch norm's, the means in relativistic_average and dragan). Each draws its own random numbers within
    a step (for penalties, for augmentations that the discriminator sees, and for the latents of a vae).

    Denormal numbers count as 0 in this thread until the last event or the iterator's `close`.

    Raises Diverged if training failed and cannot be repaired, ValueError if `resume` does not fit the spec or the batch
    cannot be split evenly.
    """
    snapshot = None if resume is None else resume.snapshot
    known = references or References.of(dataset, None)
    run = _Run(
        dataset, known, device, stop, group, Clock(snapshot.progress.training_seconds if snapshot else 0.0, group=group)
    )
    segment: _Segment | None = _Segment(spec, snapshot)
    if snapshot is not None and snapshot.progress.amended:
        segment = _Segment(snapshot.spec, snapshot)
    with denormals.flushed():
        while segment is not None:
            segment = yield from _train_segment(run, segment)


@dataclass(frozen=True, eq=False)
class _Run:
    """The arguments and the clock that all segments of a run share."""

    dataset: ImageData
    references: References
    device: torch.device
    stop: Callable[[], bool]
    group: parallel.Group
    clock: Clock


@dataclass(frozen=True, eq=False)
class _Segment:
    """A part of a run with one spec. A repair that changes the spec begins the next segment."""

    spec: specs.TrainingSpec
    start: Snapshot | None
    """The snapshot to continue from; None: a new run."""


def _train_segment(run: _Run, segment: _Segment) -> Generator[Event, None, _Segment | None]:
    """Train to the end of the run, or to a repair that changes the spec. Return the next segment, if there is one."""
    spec = segment.spec
    precision.set_float32(spec.precision, device=run.device)
    state, method = methods.prepare(spec, device=run.device, group=run.group)
    progress, good = Progress(), None
    if segment.start is not None:
        state.restore(segment.start)
        progress, good = segment.start.progress, segment.start.good
    spent = cadence.spent(spec.budget, progress.images_seen, run.clock.seconds())
    if (ended := _ending(spec, progress, spent=spent, stopped=False)) is not None:
        yield Finished(progress.images_seen, ended)
        return None
    with closing(InputPipeline(spec, run.dataset, device=run.device)) as pipeline:
        good = good or state.snapshot(progress)
        if segment.start is None:
            yield Begun(progress.images_seen, good)
        return (yield from _steps(run, state, method, pipeline, progress, good))


def _steps(
    run: _Run, state: TrainingState, method: Method, pipeline: InputPipeline, progress: Progress, good: Snapshot
) -> Generator[Event, None, _Segment | None]:
    """Train step by step. `good` is the last sound snapshot, which the guard goes back to."""
    spec, group, clock = state.spec, run.group, run.clock
    seen, compiles = progress.images_seen, spec.compile
    clock.start_lap(seen)
    seconds = progress.training_seconds
    while True:
        # Draw the batch
        before = seen
        inputs = [each.part(group.rank, of=group.size) for each in pipeline.step(before, salt=progress.salt)]
        seen = before + len(inputs) * spec.batch_size
        # Update the networks
        began = clock.seconds()
        fraction = lr_schedules.budget_fraction(spec.budget, images_seen=before, seconds=began)
        state.begin_step(images_seen=before, budget_fraction=fraction, guard_factor=progress.guard_factor)
        shown = method.step(state, inputs)
        # Update the moving average
        state.end_step(images_seen=seen, step_images=seen - before)
        seconds_before, seconds = seconds, clock.seconds()
        if compiles and method.has_compiled():
            compiles = False
            yield Compiled(seen, seconds - began)
            clock.start_lap(seen)

        # Check, tick and evaluate, where something is due
        spent = cadence.spent(spec.budget, seen, seconds)
        stopped = spent is None and bool(group.agree(run.stop()))
        passed = seconds_before, seconds
        due = cadence.due(
            spec, before=before, after=seen, spent=spent is not None, seconds=passed, evaluating=clock.evaluating
        )
        if not due and not stopped:
            continue
        progress = progress.model_copy(update={"images_seen": seen, "training_seconds": seconds})
        verdict, progress = yield from _measure(run, state, shown, due, progress)
        progress = progress.model_copy(update={"training_seconds": clock.seconds()})
        if verdict is not None:
            repair = guard.repair(spec.guard, verdict, failed=progress, good=good)
            yield Repaired(seen, detector=verdict.code, remedy=repair.remedy, details=repair.details)
            if repair.snapshot.spec != spec:
                return _Segment(repair.snapshot.spec, repair.snapshot)
            state.restore(repair.snapshot)
            progress = repair.snapshot.progress
            seen = progress.images_seen
            clock.start_lap(seen)
            continue

        # Save a checkpoint
        ended = _ending(spec, progress, spent=spent, stopped=stopped)
        if "checkpoint" in due:
            progress = guard.settled(progress)
            good = state.snapshot(progress)
            yield CheckpointDue(seen, good)
        elif ended and guard.check(Evidence("state", state, thorough=True), progress)[0] is None:
            # A failed state is not saved: the resumed run must fail at the same step as an uninterrupted one.
            yield CheckpointDue(seen, replace(state.snapshot(progress), good=good))
        elif ended == "early_stopped":
            ended = None  # nor does it end a run: the guard's next check finds the failure
        if ended:
            yield Finished(seen, ended)
            return None
        clock.start_lap(seen)


def _ending(spec: specs.TrainingSpec, progress: Progress, *, spent: Spent | None, stopped: bool) -> Ending | None:
    """Return how the run ends here; None: it goes on."""
    if spent or stopped:
        return spent or "stopped"
    return "early_stopped" if patience.used_up(spec.evaluation, progress) else None


def _measure(
    run: _Run, state: TrainingState, shown: Shown, due: set[Due], progress: Progress
) -> Generator[Event, None, tuple[Verdict | None, Progress]]:
    """Yield the tick and the evaluation in `due`. Return the guard's verdict; a failure skips the rest."""
    seen = progress.images_seen
    verdict = None
    if due:
        verdict, progress = guard.check(Evidence("state", state, thorough="checkpoint" in due), progress)
    if verdict is None and "tick" in due:
        state.meter.add({"diversity": shown.diversity(group=run.group)})
        speed = {"images_per_second": run.clock.images_per_second(seen)}
        values = state.meter.means() | speed | state.learning_rates() | state.augmentation()
        state.meter.reset()
        yield Tick(seen, values)
        verdict, progress = guard.check(Evidence("tick", state, values=values), progress)
    if verdict is None and "evaluation" in due:
        work = partial(evaluators.evaluate, state.sampled(), spec=state.spec, references=run.references)
        began = run.clock.seconds()
        evaluation = run.group.once(work)
        run.clock.evaluating += run.clock.seconds() - began
        yield Evaluated(seen, evaluation.values, evaluation.unavailable)
        progress = patience.evaluated(progress, evaluation.values)
        verdict, progress = guard.check(Evidence("evaluation", state, values=evaluation.values), progress)
    return verdict, progress
