"""TrainingSpec: everything that determines a training run. Pydantic only: importable without torch.

A spec is data. It is frozen, complete (no field means "auto" except `precision`), every number is bounded and finite,
and unknown fields are refused. `models.presets.resolve` makes one from the part that a client sent.
"""

import unicodedata
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from models import catalog


class Spec(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


def _printable(text: str) -> str:
    """Refuses control, format (bidirectional overrides) and surrogate characters."""
    for character in text:
        if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn"}:
            raise ValueError(f"must not contain the control character U+{ord(character):04X}")
    return text


Text = Annotated[str, AfterValidator(_printable)]
Name = Annotated[Text, Field(min_length=1, max_length=100)]
Width = Annotated[int, Field(ge=1, le=8192)]
Rate = Annotated[float, Field(gt=0, le=1)]
Beta = Annotated[float, Field(ge=0, lt=1)]
Images = Annotated[int, Field(ge=1, le=10**12)]


# Datasets


class BuiltinDataset(Spec):
    """A dataset that comes with Saddle."""

    kind: Literal["builtin"] = "builtin"
    name: Literal["fashion-mnist", "digits"]
    resolution: int = Field(ge=4, le=1024)
    """Pixels a side; the dataset's own."""

    @property
    def facts(self) -> catalog.DatasetFacts:
        return catalog.BUILTIN[self.name]

    @model_validator(mode="after")
    def _resolution_is_the_datasets(self) -> Self:
        if self.resolution != self.facts.resolution:
            raise ValueError(
                f"{self.name} is {self.facts.resolution}x{self.facts.resolution}: "
                f"set dataset.resolution to {self.facts.resolution} or leave it out"
            )
        return self


# Architectures


class MlpArchitecture(Spec):
    """Fully connected generator and discriminator; the defaults are the article's."""

    kind: Literal["mlp"] = "mlp"
    latent_dim: int = Field(default=100, ge=1, le=4096)
    generator_widths: tuple[Width, ...] = Field(default=(128, 256, 512, 1024), min_length=1, max_length=16)
    discriminator_widths: tuple[Width, ...] = Field(default=(512, 256), min_length=1, max_length=16)
    generator_norm: Literal["none", "batch"] = "none"
    activation: Literal["relu", "leaky_relu"] = "relu"


class DcganArchitecture(Spec):
    """Strided convolutions (Radford et al. 2016), for any size that halves down to 3..7 pixels."""

    kind: Literal["dcgan"] = "dcgan"
    latent_dim: int = Field(default=100, ge=1, le=4096)
    channels: int = Field(default=64, ge=4, le=1024)
    """Feature maps at the highest resolution; they double at every halving."""
    generator_norm: Literal["none", "batch"] = "batch"
    discriminator_norm: Literal["none", "batch"] = "none"


Architecture = Annotated[MlpArchitecture | DcganArchitecture, Field(discriminator="kind")]


# Losses


class MinimaxLoss(Spec):
    """The original saturating game (Goodfellow et al. 2014, eq. 1)."""

    kind: Literal["minimax"] = "minimax"


class NonSaturatingLoss(Spec):
    """The generator maximises log D(G(z)) (Goodfellow et al. 2014, section 3)."""

    kind: Literal["non_saturating"] = "non_saturating"


class RelativisticPairedLoss(Spec):
    """Each fake is compared with a real image (Jolicoeur-Martineau 2019; Huang et al. 2024, eq. 2)."""

    kind: Literal["relativistic_paired"] = "relativistic_paired"


Loss = Annotated[MinimaxLoss | NonSaturatingLoss | RelativisticPairedLoss, Field(discriminator="kind")]


# Penalties


class _ZeroCentredPenalty(Spec):
    weight: float = Field(default=1.0, gt=0, le=10_000)
    """Gamma: the penalty is gamma/2 times the mean squared gradient norm."""
    every_steps: int = Field(default=1, ge=1, le=1024)
    """Applied every so many discriminator steps, scaled up by as much (lazy regularisation)."""


class R1Penalty(_ZeroCentredPenalty):
    """Zero-centred gradient penalty on real images (Mescheder et al. 2018)."""

    kind: Literal["r1"] = "r1"


class R2Penalty(_ZeroCentredPenalty):
    """Zero-centred gradient penalty on generated images (Mescheder et al. 2018)."""

    kind: Literal["r2"] = "r2"


Penalty = Annotated[R1Penalty | R2Penalty, Field(discriminator="kind")]


# Optimizers


class AdamOptimizer(Spec):
    """Adam (Kingma & Ba 2015)."""

    kind: Literal["adam"] = "adam"
    lr: Rate = 2e-4
    betas: tuple[Beta, Beta] = (0.5, 0.999)
    eps: float = Field(default=1e-8, gt=0, le=1)


# A union of one kind so far: the discriminator is checked by the Literal.
Optimizer = AdamOptimizer


# Augmentation


class NoAugment(Spec):
    kind: Literal["none"] = "none"


class FlipAugment(Spec):
    """Each real image is mirrored with probability one half; sensible where a mirrored image is natural."""

    kind: Literal["flip"] = "flip"


Augment = Annotated[NoAugment | FlipAugment, Field(discriminator="kind")]


# Guard


class GuardOff(Spec):
    """Divergence ends the run as `diverged`."""

    kind: Literal["off"] = "off"


class GuardRepair(Spec):
    """Divergence rolls the run back to its last good state and goes on with smaller learning rates."""

    kind: Literal["repair"] = "repair"
    max_repairs: int = Field(default=5, ge=1, le=100)
    """So many repairs without progress past the point of failure end the run as `diverged`."""


Guard = Annotated[GuardOff | GuardRepair, Field(discriminator="kind")]


# The run


class Budget(Spec):
    """The run ends at whichever comes first."""

    images: Images | None
    seconds: float | None = Field(gt=0, le=366 * 24 * 3600)
    """Seconds of training, evaluation and checkpointing included, waiting in the queue excluded."""

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.images is None and self.seconds is None:
            raise ValueError("give at least one of budget.images and budget.seconds")
        return self


class Ema(Spec):
    """The exponential moving average of the generator's weights, from which samples are drawn."""

    half_life_images: int = Field(ge=0, le=10**9)
    """0: no averaging."""
    ramp_up: float = Field(default=0.05, gt=0, le=10)
    """Early on the half-life is at most this share of the images seen, so that the start is forgotten."""


class CheckpointPlan(Spec):
    every_images: Images
    keep_latest: int = Field(ge=1, le=100)
    keep_best: int = Field(ge=0, le=100)


class EvaluationPlan(Spec):
    every_images: Images
    metrics: tuple[Literal["fid", "precision_recall"], ...] = Field(max_length=2)
    samples: int = Field(ge=1000, le=50_000)

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len(set(self.metrics)) < len(self.metrics):
            raise ValueError("name each metric once")
        return self


class MetricsPlan(Spec):
    every_images: Images
    """The spacing of the training series; the first points come sooner."""


class TrainingSpec(Spec):
    """A complete training run: two equal specs on the same machine train to the same bits."""

    name: Name | None
    preset: Annotated[str, Field(max_length=64)]
    dataset: BuiltinDataset
    architecture: Architecture
    loss: Loss
    penalties: tuple[Penalty, ...] = Field(max_length=8)
    generator_optimizer: Optimizer
    discriminator_optimizer: Optimizer
    discriminator_steps: int = Field(ge=1, le=100)
    batch_size: int = Field(ge=2, le=65_536)
    budget: Budget
    ema: Ema
    augment: Augment
    precision: Literal["auto", "fp32", "bf16"]
    """auto: bf16 autocast where the hardware computes in it, else fp32."""
    seed: int = Field(ge=0, le=2**53 - 1)
    checkpoint: CheckpointPlan
    evaluation: EvaluationPlan
    metrics: MetricsPlan
    guard: Guard
    metadata: dict[Annotated[Text, Field(min_length=1, max_length=64)], Annotated[Text, Field(max_length=500)]] = Field(
        max_length=32
    )

    @model_validator(mode="after")
    def _batch_fits_the_dataset(self) -> Self:
        if self.batch_size > self.dataset.facts.images:
            raise ValueError(
                f"batch_size {self.batch_size} is larger than {self.dataset.name}: use at most "
                f"{self.dataset.facts.images}, the number of its images"
            )
        return self

    @model_validator(mode="after")
    def _budget_holds_a_step(self) -> Self:
        if self.budget.images is not None and self.budget.images < self.batch_size:
            raise ValueError(
                f"budget.images {self.budget.images} is less than one batch of {self.batch_size}: "
                "raise the budget or lower batch_size"
            )
        return self

    @model_validator(mode="after")
    def _architecture_fits_the_resolution(self) -> Self:
        if isinstance(self.architecture, DcganArchitecture) and dcgan_halvings(self.dataset.resolution) is None:
            raise ValueError(
                f"architecture dcgan needs a resolution that halves down to 3..7 pixels at least once, not "
                f"{self.dataset.resolution}: use architecture mlp for {self.dataset.name}"
            )
        return self

    @model_validator(mode="after")
    def _penalties_once(self) -> Self:
        kinds = [penalty.kind for penalty in self.penalties]
        for kind in kinds:
            if kinds.count(kind) > 1:
                raise ValueError(f"penalty {kind} is listed {kinds.count(kind)} times: list each kind once")
        return self

    @model_validator(mode="after")
    def _metrics_have_features(self) -> Self:
        if self.evaluation.metrics and self.dataset.facts.features is None:
            raise ValueError(
                f"{self.dataset.name} has no feature extractor for {', '.join(self.evaluation.metrics)}: "
                "set evaluation.metrics to []"
            )
        return self


def dcgan_halvings(resolution: int) -> int | None:
    """How often a DCGAN halves a resolution on its way to 3..7 pixels; None where it never gets there."""
    halvings = 0
    while resolution > 7:
        if resolution % 2:
            return None
        resolution, halvings = resolution // 2, halvings + 1
    return halvings if resolution >= 3 and halvings >= 1 else None
