"""ExtraAdam: each step uses gradients computed a step ahead."""

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
    """The extragradient method with Adam's directions (Gidel et al. 2019, algorithm 4, option 1), step t = 1, 2, ...:

    theta_(t-1/2) = theta_(t-1) - eta u_(2t-1), u from the gradients at theta_(t-1)      `extrapolate`
    theta_t       = theta_(t-1) - eta u_(2t),   u from the gradients at theta_(t-1/2)    `step`

    u is Adam's direction (`Moments.direction`). Both halves update the moments and count as a step of Adam. Between the
    halves theta_(t-1) is kept as `origin`. A half whose gradients are not finite changes neither theta nor the moments,
    so if the second half is skipped the step ends at theta_(t-1). Without `extrapolate`, `step` is a step of Adam.
    """

    def changes(self, parameters: list[Tensor], gradients: list[Tensor], *, lr: float) -> Changes:
        directions, changes = self.direction(parameters, gradients)
        moved = torch._foreach_add(parameters, directions, alpha=-lr)
        return [*changes, *zip(parameters, moved, strict=True)]

    def extrapolate(self) -> None:
        """Move the parameters a step ahead and keep the origin. A second call in a row starts from the same origin."""
        self._return()
        for parameter in self.parameters:
            self.state[parameter]["origin"] = parameter.detach().clone()
        super().step()

    def step(self) -> None:
        self._return()
        super().step()

    @torch.no_grad()
    def _return(self) -> None:
        """Restore the parameters from the origin, if there is one, and delete it."""
        for parameter in self.parameters:
            if (origin := self.state[parameter].pop("origin", None)) is not None:
                parameter.copy_(origin)
