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
    """A complete training run. On the same machine, two equal specs with a budget of images give bit-identical runs.

    `models.presets` makes a spec and checks the rules between its fields. `models.specs.stored` reads a stored spec and
    checks no rule. A field with a default was added after the others; the default keeps the meaning of older specs.
    """

    name: Name | None
    preset: Annotated[str, Field(max_length=64)]
    dataset: Dataset
    labels: bool = False
    """Whether both networks are conditioned on the images' classes, so that images of a chosen class can be drawn."""
    architecture: Architecture
    loss: Loss
    penalties: tuple[Penalty, ...] = Field(max_length=8)
    generator_optimizer: Optimizer
    discriminator_optimizer: Optimizer
    discriminator_steps: int = Field(ge=1, le=100)
    batch_size: int = Field(ge=2, le=65_536)
    accumulation_steps: int = Field(default=1, ge=1, le=1024)
    """Number of equal parts into which each batch is cut. Gradients are averaged over them: less memory, same step."""
    budget: Budget
    ema: Ema
    augment: Augment
    precision: Literal["auto", "fp32", "bf16"]
    """auto: bf16 autocast if the hardware computes faster in it, else fp32."""
    compile: bool = False
    """Whether steps, or the networks alone where steps cannot be, are compiled. This takes up to a minute before the
    first steps, which are faster afterwards. Needs a C++ compiler on the worker's machine."""
    cuda_graphs: bool = False
    """Whether a GPU replays the compiled networks' kernels as CUDA graphs. It helps networks so small that launching
    kernels takes longer than running them. It has no effect on a CPU."""
    seed: int = Field(ge=0, le=2**53 - 1)
    checkpoint: CheckpointPlan
    evaluation: EvaluationPlan
    metrics: MetricsPlan
    guard: Guard
    max_attempts: int = Field(default=5, ge=1, le=100)
    """The job fails after this many crashes of its process or losses of its machine. Orderly stops are not counted."""
    max_seconds: float | None = Field(default=None, gt=0, le=366 * 24 * 3600)
    """The job fails after this many seconds with a worker, over all attempts. Waiting and pauses are not counted."""
    metadata: dict[Annotated[Text, Field(min_length=1, max_length=64)], Annotated[Text, Field(max_length=500)]] = Field(
        max_length=32
    )
