"""Augmentations: changes to images before the discriminator sees them."""

from typing import Annotated, Literal

from pydantic import Field

from models.specs.fields import Rate, Spec

Policy = Literal["color", "translation", "cutout"]


class NoAugment(Spec):
    kind: Literal["none"] = "none"


class FlipAugment(Spec):
    """Mirrors each real image with probability one half. Suitable where a mirrored image is natural."""

    kind: Literal["flip"] = "flip"


class _Differentiable(Spec):
    policies: tuple[Policy, ...] = Field(default=("color", "translation", "cutout"), min_length=1, max_length=3)
    flip: bool = False
    """Whether real images are mirrored first, with probability one half."""


class DiffAugment(_Differentiable):
    """Changes real and generated images, differentiably, whenever the discriminator sees them (Zhao et al. 2020)."""

    kind: Literal["diffaugment"] = "diffaugment"


class AdaptiveAugment(_Differentiable):
    """DiffAugment with a probability that adapts to the discriminator's overfitting (Karras et al. 2020, ADA)."""

    kind: Literal["adaptive"] = "adaptive"
    target: Rate = 0.6
    """The target for the mean sign of the real images' logits. The probability rises while the mean is above it."""
    speed_images: int = Field(default=500_000, ge=1_000, le=10**9)
    """Number of images in which the probability can rise from 0 to 1."""


Augment = Annotated[NoAugment | FlipAugment | DiffAugment | AdaptiveAugment, Field(discriminator="kind")]
