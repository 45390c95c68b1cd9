"""Evaluations: what is measured of a checkpoint, and by which protocol. Only figures of one protocol compare."""

from typing import Literal, Self

from pydantic import Field, model_validator

from models.specs.fields import Spec
from models.specs.figures import REGISTRY, Metric


class Protocol(Spec):
    """How a checkpoint is measured, as a client asks for it."""

    extractor: Literal["auto", "garments", "imagenet", "inception"] = "auto"
    """The features that distances are measured in. auto: those that the dataset's facts name."""
    samples: int = Field(default=10_000, ge=1_000, le=50_000)
    """The number of generated images."""
    seed: int = Field(default=0, ge=0, lt=2**63)
    """Determines the generated images."""
    reference: Literal["holdout", "train"] = "holdout"
    """The real images: those that were never trained on, or a sample of the training images."""


class Wish(Spec):
    """A request to evaluate a checkpoint, or a job's best one."""

    job: str | None = Field(default=None, pattern=r"^job_[0-9a-z]{26}$")
    """The job whose best checkpoint, or else its latest, is evaluated."""
    checkpoint: str | None = Field(default=None, pattern=r"^ckpt_[0-9a-z]{26}$")
    metrics: tuple[Metric, ...] = Field(default=(), max_length=len(REGISTRY))
    """The metrics to measure. Empty: those that the presets measure of such a dataset."""
    protocol: Protocol = Protocol()

    @model_validator(mode="after")
    def _one_subject(self) -> Self:
        if (self.job is None) == (self.checkpoint is None):
            raise ValueError("name either a job or a checkpoint")
        if len(set(self.metrics)) < len(self.metrics):
            raise ValueError("name each metric once")
        return self


class CompleteProtocol(Spec):
    """The protocol of figures that were measured, by which they are compared."""

    version: int
    extractor: str | None
    extractor_digest: str | None
    samples: int
    seed: int
    reference: Literal["holdout", "train"]
    """The split that real images came from: the training images also where the holdout is too small."""
    reference_images: int
    reference_digest: str
    """SHA-256 of the real images."""
    dataset: str
    """The dataset's name."""


class Figure(Spec):
    """A measured figure with its 95 % interval under another draw of the generated images."""

    value: float
    interval: tuple[float | None, float | None]
    """Null where the images were too few to tell."""
    note: str = ""
    """A part of the figure's name: for FID the number of samples, since fewer give a larger distance."""
