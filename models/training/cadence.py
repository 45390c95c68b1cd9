"""The cadence of ticks, evaluations and checkpoints: functions of the spec and the images seen.

A resumed run therefore has the same cadence. A budget of seconds adds evaluations and checkpoints by time.
"""

from typing import Literal

from models import specs

Due = Literal["tick", "evaluation", "checkpoint"]
Spent = Literal["budget_images", "budget_seconds"]
Ending = Spent | Literal["early_stopped", "stopped"]


def crosses(every_images: int, *, before: int, after: int) -> bool:
    """Return whether a multiple of the interval lies in (before, after]."""
    return after // every_images > before // every_images


PARTS = 8
"""With a budget of seconds, an evaluation and a checkpoint are due after each eighth of it."""
MOST_EVALUATING = 0.2
"""The share of the time that evaluations may have taken; above it, none but the last is due by time."""


def due(
    spec: specs.TrainingSpec,
    *,
    before: int,
    after: int,
    spent: bool,
    seconds: tuple[float, float] = (0.0, 0.0),
    evaluating: float = 0.0,
) -> set[Due]:
    """Return the things that follow a step from `before` to `after` images seen. When the budget is spent, all do.

    `seconds` are those of training at the end of the step before, and now; `evaluating` those of them that evaluations
    took.
    """
    part = _ends_a_part(spec.budget, seconds)
    by_time = part and evaluating <= MOST_EVALUATING * seconds[1]
    things: dict[Due, bool] = {
        "tick": spent or tick_is_due(spec, before=before, after=after),
        "evaluation": bool(spec.evaluation.metrics)
        and (spent or by_time or crosses(spec.evaluation.every_images, before=before, after=after)),
        "checkpoint": spent or part or crosses(spec.checkpoint.every_images, before=before, after=after),
    }
    return {thing for thing, is_due in things.items() if is_due}


def _ends_a_part(budget: specs.Budget, seconds: tuple[float, float]) -> bool:
    if budget.seconds is None:
        return False
    before, now = (int(PARTS * each / budget.seconds) for each in seconds)
    return now > before


def tick_is_due(spec: specs.TrainingSpec, *, before: int, after: int) -> bool:
    """Return whether a tick follows a step: after 1, 2, 4, 8, ... steps at first, then at the metrics' interval."""
    if crosses(spec.metrics.every_images, before=before, after=after):
        return True
    steps = after // (after - before)
    return after < spec.metrics.every_images and steps & (steps - 1) == 0


def spent(budget: specs.Budget, images_seen: int, training_seconds: float) -> Spent | None:
    """Return the limit of the budget that is reached; None: none is."""
    if budget.images is not None and images_seen >= budget.images:
        return "budget_images"
    if budget.seconds is not None and training_seconds >= budget.seconds:
        return "budget_seconds"
    return None
