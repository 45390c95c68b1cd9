"""ExtraAdam: a step goes by the gradients that were found a step ahead."""

import torch
from torch import Tensor
from torch.nn import Parameter

from models import specs
from models.optimizers.gated import Changes
from models.optimizers.moments import Moments
from models.optimizers.optimizer import Optimizer


def build(spec: specs.ExtraAdamOptimizer, parameters: list[Parameter]) -> Optimizer:
    return ExtraAdam(parameters, lr=spec.lr, betas=spec.betas, eps=spec.eps)


class ExtraAdam(Moments):
    """The extragradient method with Adam's directions (Gidel et al. 2019, algorithm 4, option 1), round t = 1, 2, ...:

    theta_(t-1/2) = theta_(t-1) - eta u_(2t-1), of the gradients at theta_(t-1)      `extrapolate`
    theta_t       = theta_(t-1) - eta u_(2t),   of the gradients at theta_(t-1/2)    `step`

    u is Adam's direction (`Moments.direction`); both halves move the moments and count as a step of theirs. Between the
    halves theta_(t-1) is kept as `origin`. A half whose gradients are not finite changes neither theta nor the moments,
    so that a second half refused ends the round at theta_(t-1). Without `extrapolate` a `step` is one of Adam.
    """

    def changes(self, parameters: list[Tensor], gradients: list[Tensor], *, lr: float) -> Changes:
        directions, changes = self.direction(parameters, gradients)
        moved = torch._foreach_add(parameters, directions, alpha=-lr)
        return [*changes, *zip(parameters, moved, strict=True)]

    def extrapolate(self) -> None:
        """Called twice in a row, it starts again from the origin: the point looked ahead from stays the same."""
        self._return()
        for parameter in self.parameters:
            self.state[parameter]["origin"] = parameter.detach().clone()
        super().step()

    def step(self) -> None:
        self._return()
        super().step()

    @torch.no_grad()
    def _return(self) -> None:
        """Puts the parameters back to the origin, if there is one, and forgets it."""
        for parameter in self.parameters:
            if (origin := self.state[parameter].pop("origin", None)) is not None:
                parameter.copy_(origin)
