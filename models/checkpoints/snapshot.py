"""Snapshot: the state of a run between two steps."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor

from models.checkpoints.progress import Progress
from models.runtime import finite
from models.specs import TrainingSpec

Tensors = Mapping[str, Tensor]
SAMPLED = "generator"
"""The role of the network that samples are drawn from."""


@dataclass(frozen=True)
class Snapshot:
    """All of a run's state. Networks are named by their role, such as generator, discriminator or encoder."""

    spec: TrainingSpec
    progress: Progress
    networks: Mapping[str, Tensors]
    """Parameters and buffers, as trained."""
    averages: Mapping[str, Tensors]
    """The moving averages of networks; empty where the spec asks for none."""
    optimizers: Mapping[str, Tensors]
    """The state of each network's optimizer."""
    sums: Tensors
    """The running sums of the unfinished tick."""
    statistics: Tensors
    """Tensors that penalties and augmentations keep between steps."""
    good: "Snapshot | None" = None
    """The snapshot that the guard would go back to; None: this one. A stop does not change it."""

    @property
    def sampled(self) -> Tensors:
        """The weights of the generator that samples are drawn from: the moving average, if there is one."""
        return self.averages.get(SAMPLED, self.networks[SAMPLED])

    def parts(self) -> dict[str, Tensors]:
        """Return the parts by name: `networks/ROLE`, `averages/ROLE`, `optimizers/ROLE`, `sums`, `statistics`."""
        by_role = {"networks": self.networks, "averages": self.averages, "optimizers": self.optimizers}
        roles = {f"{kind}/{role}": part for kind, parts in by_role.items() for role, part in parts.items()}
        return roles | {"sums": self.sums, "statistics": self.statistics}

    def is_finite(self) -> bool:
        """Return whether every tensor is free of NaN and infinity. Waits for the device."""
        return finite.all_finite(self._tensors()) and (self.good is None or self.good.is_finite())

    def _tensors(self) -> Iterator[Tensor]:
        return (tensor for part in self.parts().values() for tensor in part.values())
