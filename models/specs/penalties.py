"""Penalties: constraints that keep the discriminator smooth."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from models.specs.fields import Beta, Rate, Spec, Steps, Weight


class _Penalty(Spec):
    needs_pixels: ClassVar[bool] = False
    """Whether the penalty moves or changes pixels. Points in the plane have none."""


class _ZeroCentredPenalty(_Penalty):
    weight: Weight = 1.0
    """Gamma: the penalty is gamma/2 times the mean squared gradient norm."""
    every_steps: Steps = 1
    """Interval in discriminator steps. The penalty is multiplied by it (lazy regularisation)."""


class R1Penalty(_ZeroCentredPenalty):
    """Zero-centred gradient penalty on real images (Mescheder et al. 2018)."""

    kind: Literal["r1"] = "r1"


class R2Penalty(_ZeroCentredPenalty):
    """Zero-centred gradient penalty on generated images (Mescheder et al. 2018)."""

    kind: Literal["r2"] = "r2"


class GradientPenalty(_Penalty):
    """Pulls the gradient's norm to 1 between real and generated images (Gulrajani et al. 2017, WGAN-GP)."""

    kind: Literal["gradient_penalty"] = "gradient_penalty"
    weight: Weight = 10.0
    """Lambda: the penalty is lambda times the mean squared distance of the norm from 1."""
    every_steps: Steps = 1


class DraganPenalty(_Penalty):
    """Pulls the gradient's norm to 1 around the real images (Kodali et al. 2017, DRAGAN)."""

    kind: Literal["dragan"] = "dragan"
    weight: Weight = 10.0
    """Lambda: the penalty is lambda times the mean squared distance of the norm from 1."""
    reach: float = Field(default=0.5, gt=0, le=10)
    """Largest value of the uniform noise, in standard deviations of the batch."""
    every_steps: Steps = 1


class WeightClip(_Penalty):
    """Clips the discriminator's weights to [-limit, limit] after each of its steps (Arjovsky et al. 2017, WGAN)."""

    kind: Literal["weight_clip"] = "weight_clip"
    limit: Rate = 0.01

    @property
    def every_steps(self) -> int:
        return 1


class LecamPenalty(_Penalty):
    """Keeps logits near the moving average of the opposite batch's logits (Tseng et al. 2021, LeCam)."""

    kind: Literal["lecam"] = "lecam"
    weight: Weight = 0.3
    decay: Beta = 0.99
    """Factor by which the moving averages decay in each discriminator step."""
    every_steps: Steps = 1


class ConsistencyPenalty(_Penalty):
    """Penalises changes of the logits when images, real and generated, are shifted or mirrored.

    Source: Zhao et al. 2021, bCR.
    """

    needs_pixels: ClassVar[bool] = True

    kind: Literal["consistency"] = "consistency"
    weight: Weight = 10.0
    """Lambda, for real and generated images alike: the factor of the mean squared change of the logit."""
    shift_pixels: int = Field(default=2, ge=1, le=64)
    """Largest shift of an image, in pixels, each way."""
    flip: bool = False
    """Whether images are mirrored too. Use it only where a mirrored image is natural."""
    every_steps: Steps = 1


Penalty = Annotated[
    R1Penalty | R2Penalty | GradientPenalty | DraganPenalty | WeightClip | LecamPenalty | ConsistencyPenalty,
    Field(discriminator="kind"),
]
