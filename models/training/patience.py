"""Patience: a run may end early, when its evaluations have stopped getting better."""

from collections.abc import Mapping

from models import specs
from models.checkpoints.progress import Progress
from models.specs import figures


def evaluated(progress: Progress, values: Mapping[str, float]) -> Progress:
    """Return the progress after an evaluation. One that measured nothing does not count."""
    if not values:
        return progress
    rank = tuple(figures.rank(values))
    if progress.best_rank is None or rank < progress.best_rank:
        return progress.model_copy(update={"best_rank": rank, "stale_evaluations": 0})
    return progress.model_copy(update={"stale_evaluations": progress.stale_evaluations + 1})


def used_up(plan: specs.EvaluationPlan, progress: Progress) -> bool:
    """Return whether as many evaluations as the plan allows were no better than the best before them."""
    return plan.patience is not None and progress.stale_evaluations >= plan.patience
