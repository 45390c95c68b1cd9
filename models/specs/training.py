"""TrainingSpec: everything that determines a training run."""

from typing import Annotated, Literal

from pydantic import Field

from models.specs.architectures import Architecture
from models.specs.augment import Augment
from models.specs.datasets import Dataset
from models.specs.fields import Name, Spec, Text
from models.specs.guard import Guard
from models.specs.losses import Loss
from models.specs.optimizers import Optimizer
from models.specs.penalties import Penalty
from models.specs.plans import Budget, CheckpointPlan, Ema, EvaluationPlan, MetricsPlan


class TrainingSpec(Spec):
    """A complete training run: two equal specs on the same machine train to the same bits.

    Make one with `models.presets`, which checks the rules between fields; read a stored one with `models.specs.stored`,
    which checks none. Fields with a default are younger than others: without them a spec means what it meant before.
    """

    name: Name | None
    preset: Annotated[str, Field(max_length=64)]
    dataset: Dataset
    labels: bool = False
    """Whether both networks are told the images' classes, so that images of a chosen class can be drawn."""
    architecture: Architecture
    loss: Loss
    penalties: tuple[Penalty, ...] = Field(max_length=8)
    generator_optimizer: Optimizer
    discriminator_optimizer: Optimizer
    discriminator_steps: int = Field(ge=1, le=100)
    batch_size: int = Field(ge=2, le=65_536)
    accumulation_steps: int = Field(default=1, ge=1, le=1024)
    """Each batch is judged in so many equal parts whose gradients are averaged: less memory, the same step."""
    budget: Budget
    ema: Ema
    augment: Augment
    precision: Literal["auto", "fp32", "bf16"]
    """auto: bf16 autocast where the hardware computes in it, else fp32."""
    compile: bool = False
    """Whether rounds, or where that is not possible the networks, are compiled first: up to a minute before the first
    steps, faster ones then. Needs a C++ compiler where it trains."""
    cuda_graphs: bool = False
    """Whether a GPU replays the compiled networks' kernels as CUDA graphs: for networks so small that launching kernels
    takes longer than they do. A CPU has none."""
    seed: int = Field(ge=0, le=2**53 - 1)
    checkpoint: CheckpointPlan
    evaluation: EvaluationPlan
    metrics: MetricsPlan
    guard: Guard
    max_attempts: int = Field(default=5, ge=1, le=100)
    """So many crashes of its process, or losses of its machine, end the job as failed. Stops in good order are free."""
    max_seconds: float | None = Field(default=None, gt=0, le=366 * 24 * 3600)
    """The job fails after so many seconds with a worker, all attempts together; waiting and pauses are not counted."""
    metadata: dict[Annotated[Text, Field(min_length=1, max_length=64)], Annotated[Text, Field(max_length=500)]] = Field(
        max_length=32
    )
