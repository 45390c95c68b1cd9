"""What is done to images before the discriminator sees them."""

from typing import Annotated, Literal

from pydantic import Field

from models.specs.fields import Rate, Spec

Policy = Literal["color", "translation", "cutout"]


class NoAugment(Spec):
    kind: Literal["none"] = "none"


class FlipAugment(Spec):
    """Each real image is mirrored with probability one half; sensible where a mirrored image is natural."""

    kind: Literal["flip"] = "flip"


class _Differentiable(Spec):
    policies: tuple[Policy, ...] = Field(default=("color", "translation", "cutout"), min_length=1, max_length=3)
    flip: bool = False
    """Whether real images are mirrored beforehand, with probability one half."""


class DiffAugment(_Differentiable):
    """Real and generated images alike are changed, differentiably, each time they are judged (Zhao et al. 2020)."""

    kind: Literal["diffaugment"] = "diffaugment"


class AdaptiveAugment(_Differentiable):
    """The same with a probability that follows how far the discriminator overfits (Karras et al. 2020, ADA)."""

    kind: Literal["adaptive"] = "adaptive"
    target: Rate = 0.6
    """The mean sign of the real images' logits that the probability is steered to."""
    speed_images: int = Field(default=500_000, ge=1_000, le=10**9)
    """So many images take the probability from 0 to 1."""


Augment = Annotated[NoAugment | FlipAugment | DiffAugment | AdaptiveAugment, Field(discriminator="kind")]
