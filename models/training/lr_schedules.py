"""Learning-rate schedules: the factor of the learning rate at a point of the run."""

import math
from collections.abc import Callable
from typing import Any

from models import specs


def factor(schedule: specs.Schedule, *, budget_fraction: float, images_seen: int) -> float:
    """Return a number in [0, 1]: the schedule's factor times the linear warm-up (Goyal et al. 2017, section 2.2).

    `budget_fraction` is the share of the budget that is spent, in [0, 1]. `images_seen` includes the images of the step
    that the rate is for, so that a warm-up does not start with a step of length 0.
    """
    warmth = min(1.0, images_seen / schedule.warmup_images) if schedule.warmup_images else 1.0
    return warmth * REGISTRY[schedule.kind](schedule, budget_fraction)


def budget_fraction(budget: specs.Budget, *, images_seen: int, seconds: float) -> float:
    """Return the share of the budget that is spent, in [0, 1]: the larger of the shares of images and of seconds."""
    images_share = images_seen / budget.images if budget.images is not None else 0.0
    seconds_share = seconds / budget.seconds if budget.seconds is not None else 0.0
    return min(1.0, max(0.0, images_share, seconds_share))


def constant(schedule: specs.ConstantSchedule, fraction: float) -> float:
    del schedule, fraction
    return 1.0


def linear(schedule: specs.LinearSchedule, fraction: float) -> float:
    """Return 1 + (final - 1) p, where p goes from 0 at `start` to 1 at the end of the budget."""
    return 1 + (schedule.final - 1) * _progress(schedule.start, fraction)


def cosine(schedule: specs.CosineSchedule, fraction: float) -> float:
    """Return final + (1 - final) (1 + cos(pi p)) / 2: Loshchilov & Hutter 2017, eq. 5, without restarts."""
    return schedule.final + (1 - schedule.final) * (1 + math.cos(math.pi * _progress(schedule.start, fraction))) / 2


def _progress(start: float, fraction: float) -> float:
    """Return p: 0 until `start`, then rising linearly to 1 at the end. A `start` of 1 is never exceeded."""
    return (fraction - start) / (1 - start) if fraction > start else 0.0


REGISTRY: dict[str, Callable[[Any, float], float]] = {"constant": constant, "linear": linear, "cosine": cosine}
