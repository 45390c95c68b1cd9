"""The intervals of evaluations and checkpoints that presets fill in: at least eight of each in a run.

Every evaluation falls on a checkpoint, because only a checkpoint that was evaluated can be the best.
"""

from typing import Any

LEAST_EVALUATIONS = 8
SAVE_IMAGES = 100_000
MOST_IMAGES = 500_000
LEAST_IMAGES = 1_000
"""Shorter runs than eight times this are over before anybody looks."""


def filled_in(budget: Any) -> tuple[int, int]:
    """Return the images between checkpoints and between evaluations, for a budget that may still be invalid.

    With a budget of seconds alone, the cadence adds evaluations and checkpoints by time.
    """
    images = budget.get("images") if isinstance(budget, dict) else None
    if not isinstance(images, int) or isinstance(images, bool):
        return SAVE_IMAGES, MOST_IMAGES
    share = images // LEAST_EVALUATIONS
    if share < SAVE_IMAGES:
        both = max(LEAST_IMAGES, share)
        return both, both
    return SAVE_IMAGES, min(MOST_IMAGES, share - share % SAVE_IMAGES)
