"""Optimizers and learning-rate schedules."""

from typing import Annotated, Literal

from pydantic import Field

from models.specs.fields import Beta, Rate, Share, Spec


class ConstantSchedule(Spec):
    """Keeps the learning rate constant after a linear warm-up."""

    kind: Literal["constant"] = "constant"
    warmup_images: Annotated[int, Field(ge=0, le=10**12)] = 0


class LinearSchedule(Spec):
    """Lowers the learning rate linearly to `final` times itself, from the share `start` of the budget to its end."""

    kind: Literal["linear"] = "linear"
    start: Share = 0.0
    final: Share = 0.0
    warmup_images: Annotated[int, Field(ge=0, le=10**12)] = 0


class CosineSchedule(Spec):
    """Lowers the learning rate along half a cosine to `final` times itself, from the share `start` of the budget on."""

    kind: Literal["cosine"] = "cosine"
    start: Share = 0.0
    final: Share = 0.0
    warmup_images: Annotated[int, Field(ge=0, le=10**12)] = 0


Schedule = Annotated[ConstantSchedule | LinearSchedule | CosineSchedule, Field(discriminator="kind")]


class _Optimizer(Spec):
    lr: Rate = 2e-4
    schedule: Schedule = ConstantSchedule()
    max_gradient_norm: float | None = Field(default=None, gt=0, le=1e6)
    """Gradients with a larger norm are scaled down to this one; null: no limit."""


class _Adam(_Optimizer):
    betas: tuple[Beta, Beta] = (0.5, 0.999)
    eps: float = Field(default=1e-8, gt=0, le=1)


class AdamOptimizer(_Adam):
    """Adam (Kingma & Ba 2015)."""

    kind: Literal["adam"] = "adam"


class AdamwOptimizer(_Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019)."""

    kind: Literal["adamw"] = "adamw"
    weight_decay: float = Field(default=0.01, ge=0, le=1)


class RmspropOptimizer(_Optimizer):
    """RMSProp (Tieleman & Hinton 2012)."""

    kind: Literal["rmsprop"] = "rmsprop"
    alpha: Beta = 0.99
    eps: float = Field(default=1e-8, gt=0, le=1)


class SgdOptimizer(_Optimizer):
    """Gradient descent with optional momentum. Negative momentum helps adversarial training (Gidel et al. 2019)."""

    kind: Literal["sgd"] = "sgd"
    momentum: float = Field(default=0.0, gt=-1, lt=1)


class OptimisticAdamOptimizer(_Adam):
    """Adam that corrects each step by the change of direction since the last (Daskalakis et al. 2018, algorithm 1)."""

    kind: Literal["optimistic_adam"] = "optimistic_adam"


class ExtraAdamOptimizer(_Adam):
    """Both networks use gradients computed a step ahead (Gidel et al. 2019, algorithm 4). Set it for both."""

    kind: Literal["extra_adam"] = "extra_adam"


Optimizer = Annotated[
    AdamOptimizer | AdamwOptimizer | RmspropOptimizer | SgdOptimizer | OptimisticAdamOptimizer | ExtraAdamOptimizer,
    Field(discriminator="kind"),
]
