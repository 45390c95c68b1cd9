"""Learning-rate schedules: by what a learning rate is multiplied at a place of the run."""

import math
from collections.abc import Callable
from typing import Any

from models import specs


def factor(schedule: specs.Schedule, *, fraction: float, images_seen: int) -> float:
    """In [0, 1]: the schedule's fall, times the linear warm-up (Goyal et al. 2017, section 2.2).

    `fraction` of the budget, in [0, 1], is spent. `images_seen` includes those of the step that the rate is for, so
    that a warm-up does not begin with a step of nothing.
    """
    warmth = min(1.0, images_seen / schedule.warmup_images) if schedule.warmup_images else 1.0
    return warmth * REGISTRY[schedule.kind](schedule, fraction)


def fraction(budget: specs.Budget, *, images_seen: int, seconds: float) -> float:
    """How much of the budget is spent, in [0, 1]: of its part that is nearest to its end, as that ends the run."""
    images_share = images_seen / budget.images if budget.images is not None else 0.0
    seconds_share = seconds / budget.seconds if budget.seconds is not None else 0.0
    return min(1.0, max(0.0, images_share, seconds_share))


def constant(schedule: specs.ConstantSchedule, fraction: float) -> float:
    del schedule, fraction
    return 1.0


def linear(schedule: specs.LinearSchedule, fraction: float) -> float:
    """1 + (final - 1) p, p the share of the way from `start` to the end."""
    return 1 + (schedule.final - 1) * _progress(schedule.start, fraction)


def cosine(schedule: specs.CosineSchedule, fraction: float) -> float:
    """final + (1 - final) (1 + cos(pi p)) / 2: Loshchilov & Hutter 2017, eq. 5, without restarts."""
    return schedule.final + (1 - schedule.final) * (1 + math.cos(math.pi * _progress(schedule.start, fraction))) / 2


def _progress(start: float, fraction: float) -> float:
    """0 until `start`, 1 at the end; a start of 1 is never passed."""
    return (fraction - start) / (1 - start) if fraction > start else 0.0


REGISTRY: dict[str, Callable[[Any, float], float]] = {"constant": constant, "linear": linear, "cosine": cosine}
