"""TrainingState: everything that a step changes, as one state that can be saved and restored."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from models import architectures, augment, optimizers, specs
from models.checkpoints.progress import Progress
from models.checkpoints.snapshot import SAMPLED, Snapshot
from models.runtime import parallel, placement
from models.training import ema, lr_schedules
from models.training.meter import Meter


@dataclass(frozen=True)
class Player:
    """The training settings of one network in a method."""

    optimizer: specs.Optimizer
    side: Literal["g", "d"]
    """The network's letter in the names of metrics, such as lr_g and grad_norm_d."""
    averaged: bool = False
    """Whether the spec's moving average is kept of this network."""


class TrainingState:
    """The networks of a run by role, their moving averages and optimizers, and the statistics, on one device.

    Networks are in training mode, averages in evaluation mode.

    Each process of a `group` has its own state; all are equal after every step. Within a step, a statistic of a batch,
    such as batch norm's, covers the process's share only, as it does for the parts of a batch. Raises ValueError if a
    batch cannot be shared.
    """

    def __init__(
        self,
        spec: specs.TrainingSpec,
        players: Mapping[str, Player],
        *,
        device: torch.device,
        group: parallel.Group = parallel.SOLO,
    ) -> None:
        parallel.check(spec, processes=group.size)
        self.spec = spec
        self.players = players
        self.device = device
        self.group = group
        self.networks = {
            role: placement.place(network, device=device, compiled=spec.compile)
            for role, network in architectures.build(spec).items()
        }
        assert self.networks.keys() == players.keys(), "the method trains the architecture's networks"
        self.averages = dict(self._new_averages())
        self.parameters = {role: list(network.parameters()) for role, network in self.networks.items()}
        self.optimizers = {
            role: optimizers.build(player.optimizer, parameters=self.parameters[role])
            for role, player in players.items()
        }
        self.mixes_images = {role: architectures.mixes_images(network) for role, network in self.networks.items()}
        """Whether a network's output for an image depends on the other images of the batch."""
        self.meter = Meter()
        self.statistics: dict[str, Tensor] = {}
        """Small tensors, on the device, that penalties and augmentations keep between steps."""
        self.fast: dict[str, Callable[..., Tensor]] = dict(self.networks)
        """The networks, compiled if the spec asks for it. A compiled network cannot be differentiated twice."""
        self._batch_statistics = [tensor for network in self.networks.values() for tensor in _statistics(network)]

    def compile_networks(self) -> None:
        """Replace `fast` by compiled networks. Each is compiled when it is first called."""
        mode = "reduce-overhead" if self._replays_graphs else None
        self.fast = {role: torch.compile(network, mode=mode) for role, network in self.networks.items()}

    def begin_step(self, *, images_seen: int, budget_fraction: float, guard_factor: float) -> None:
        """Set the learning rates: the spec's rates times their schedules' factors times the guard's factor.

        `images_seen` and `budget_fraction`, the share of the budget that is spent, are the values before the step.
        """
        if self._replays_graphs:
            # From here on, the last step's outputs of the compiled networks may be overwritten.
            torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]  # PyTorch gives this function no types
        seen = images_seen + self.spec.batch_size
        for role, player in self.players.items():
            factor = lr_schedules.factor(player.optimizer.schedule, budget_fraction=budget_fraction, images_seen=seen)
            self.optimizers[role].lr = player.optimizer.lr * factor * guard_factor

    def step(self, role: str, gradients: Sequence[Tensor]) -> None:
        """Update a network by the gradients of its parameters."""
        player = self.players[role]
        max_norm = player.optimizer.max_gradient_norm
        norm = optimizers.step(self.optimizers[role], gradients, max_norm=max_norm)
        self.meter.add({f"grad_norm_{player.side}": norm})

    def end_step(self, *, images_seen: int, step_images: int) -> None:
        """Average the meter and the batch statistics over the processes, then update the moving averages.

        The order matters: moving averages include batch statistics, and a run's bits must not depend on where it was
        stopped.
        """
        self._average_over_processes()
        for role, average in self.averages.items():
            keep = ema.keep_share(self.spec.ema, images_seen=images_seen, step_images=step_images)
            ema.update(average, self.networks[role], keep=keep)

    def learning_rates(self) -> dict[str, float]:
        """Return the learning rates by the names of their metrics."""
        return {f"lr_{player.side}": self.optimizers[role].lr for role, player in self.players.items()}

    def augmentation(self) -> dict[str, float]:
        """Return the strength of an augmentation that adapts, by the name of its metric."""
        strength = augment.REGISTRY[self.spec.augment.kind].strength
        return {} if strength is None else {"augment_p": strength(self.statistics)}

    def sampled(self) -> nn.Module:
        """Return the generator that samples are drawn from."""
        return self.averages.get(SAMPLED, self.networks[SAMPLED])

    def all_parameters(self) -> list[Tensor]:
        return [parameter for parameters in self.parameters.values() for parameter in parameters]

    def tensors(self) -> list[Tensor]:
        """Return every tensor of the state, live."""
        modules = [*self.networks.values(), *self.averages.values()]
        return [
            *(tensor for module in modules for tensor in module.state_dict().values()),
            *(tensor for optimizer in self.optimizers.values() for tensor in optimizers.state(optimizer).values()),
            *self.meter.sums.values(),
            *self.statistics.values(),
        ]

    def snapshot(self, progress: Progress) -> Snapshot:
        """Return a copy of the state, which later steps do not change."""
        return Snapshot(
            spec=self.spec,
            progress=progress.model_copy(update={"summed": self.meter.counts}),
            networks={role: _copies(network.state_dict()) for role, network in self.networks.items()},
            averages={role: _copies(average.state_dict()) for role, average in self.averages.items()},
            optimizers={role: _copies(optimizers.state(optimizer)) for role, optimizer in self.optimizers.items()},
            sums=_copies(self.meter.sums),
            statistics=_copies(self.statistics),
        )

    def restore(self, snapshot: Snapshot) -> None:
        """Restore the state of a snapshot. Raises ValueError if its networks have another shape."""
        try:
            for role, network in self.networks.items():
                network.load_state_dict(snapshot.networks[role])
            for role, average in self.averages.items():
                average.load_state_dict(snapshot.averages.get(role, snapshot.networks[role]))
        except (RuntimeError, KeyError) as error:
            raise ValueError(f"the checkpoint does not fit the spec's networks: {error}") from error
        for role, optimizer in self.optimizers.items():
            optimizers.restore(optimizer, snapshot.optimizers[role])
        self.meter.restore(snapshot.sums, snapshot.progress.summed, device=self.device)
        self.statistics = {name: tensor.to(self.device, copy=True) for name, tensor in snapshot.statistics.items()}

    @property
    def _replays_graphs(self) -> bool:
        return self.spec.cuda_graphs and self.device.type == "cuda"

    def _new_averages(self) -> Iterator[tuple[str, nn.Module]]:
        if self.spec.ema.half_life_images > 0:
            for role, twin in architectures.build(self.spec).items():
                if self.players[role].averaged:
                    placed = placement.place(twin, device=self.device, compiled=self.spec.compile)
                    yield role, placed.eval().requires_grad_(False)

    def _average_over_processes(self) -> None:
        """Replace the process's meter sums and batch statistics by their means over all processes."""
        if self.group.size == 1:
            return
        sums = self.meter.sums
        means = self.group.mean([*sums.values(), *self._batch_statistics])
        self.meter.restore(dict(zip(sums, means, strict=False)), self.meter.counts, device=self.device)
        if self._batch_statistics:
            torch._foreach_copy_(self._batch_statistics, means[len(sums) :])


def _statistics(network: nn.Module) -> list[Tensor]:
    """Return the floating-point buffers of a network's state, live: no parameters and no counters."""
    trained = dict(network.named_parameters())
    state = network.state_dict()
    return [tensor for name, tensor in state.items() if name not in trained and tensor.is_floating_point()]


def _copies(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}
