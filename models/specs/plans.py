"""Plans of a run: its budget, its moving average, and the intervals of checkpoints, evaluations and metrics."""

from typing import Self

from pydantic import Field, model_validator

from models.specs.fields import Images, Spec
from models.specs.figures import REGISTRY, Metric


class Budget(Spec):
    """The run ends when either limit is reached."""

    images: Images | None
    seconds: float | None = Field(gt=0, le=366 * 24 * 3600)
    """Seconds of training, including evaluation and checkpointing, excluding waiting in the queue."""

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.images is None and self.seconds is None:
            raise ValueError("give at least one of budget.images and budget.seconds")
        return self


class Ema(Spec):
    """The exponential moving average of the generator's weights, from which samples are drawn."""

    half_life_images: int = Field(ge=0, le=10**9)
    """Half-life of the average in images seen; 0: no averaging."""
    ramp_up: float = Field(default=0.05, gt=0, le=10)
    """The half-life is at most this share of the images seen, so that the first weights are forgotten soon."""


class CheckpointPlan(Spec):
    every_images: Images
    keep_latest: int = Field(ge=1, le=100)
    keep_best: int = Field(ge=0, le=100)


class EvaluationPlan(Spec):
    every_images: Images
    metrics: tuple[Metric, ...] = Field(max_length=len(REGISTRY))
    samples: int = Field(ge=1000, le=50_000)
    patience: int | None = Field(default=None, ge=1, le=1000)
    """The run ends early after so many evaluations in a row that were no better than the best. null: it never does."""

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len(set(self.metrics)) < len(self.metrics):
            raise ValueError("name each metric once")
        if self.patience is not None and not self.metrics:
            raise ValueError("patience needs metrics to judge the evaluations by")
        return self


class MetricsPlan(Spec):
    every_images: Images
    """Interval between points of the training series. The first points have shorter intervals."""
