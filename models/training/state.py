"""The game: the two networks of a run, the generator's average and the optimizers, as one state that can be kept."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from models import architectures, optimizers, specs
from models.checkpoints.progress import Progress
from models.checkpoints.snapshot import Snapshot
from models.runtime import parallel, placement
from models.training import ema, lr_schedules
from models.training.meter import Meter


class Game:
    """The players of a run on their device. Networks are in training mode but for the average, which is in evaluation
    mode and is the generator itself where the spec asks for no averaging.

    The processes of a `group` have a game each, all the same after every round. What is found over a batch, such as the
    statistics of batch norm, each finds over its share, as with the parts of a batch. Raises ValueError if a batch
    cannot be shared.
    """

    def __init__(
        self, spec: specs.TrainingSpec, *, device: torch.device, group: parallel.Group = parallel.SOLO
    ) -> None:
        parallel.check(spec, processes=group.size)
        networks, twins = architectures.build(spec), architectures.build(spec)
        self.spec = spec
        self.opponent = "encoder" if spec.architecture.kind == "vae" else "discriminator"
        self.generator = placement.place(networks.generator, device=device)
        self.discriminator = placement.place(networks.discriminator, device=device)
        self.average = None
        if spec.ema.half_life_images > 0:
            self.average = placement.place(twins.generator, device=device).eval().requires_grad_(False)
        self.generator_parameters = list(self.generator.parameters())
        self.discriminator_parameters = list(self.discriminator.parameters())
        self.generator_optimizer = optimizers.build(spec.generator_optimizer, parameters=self.generator_parameters)
        self.discriminator_optimizer = optimizers.build(
            spec.discriminator_optimizer, parameters=self.discriminator_parameters
        )
        self.judges_images_alone = not any(isinstance(part, _BatchNorm) for part in self.discriminator.modules())
        self.meter = Meter()
        self.memory: dict[str, Tensor] = {}
        """What penalties and augmentations remember between steps, as small tensors on the device."""
        self.device = device
        self.group = group
        self._statistics = [*_statistics(self.generator), *_statistics(self.discriminator)]
        self.fast_generator: Callable[..., Tensor] = self.generator
        self.fast_discriminator: Callable[..., Tensor] = self.discriminator
        """The same networks, or these compiled; compiled ones cannot be differentiated twice."""

    def compile_networks(self) -> None:
        """They are compiled when they are first called."""
        mode = "reduce-overhead" if self._replays_graphs else None
        self.fast_generator = torch.compile(self.generator, mode=mode)
        self.fast_discriminator = torch.compile(self.discriminator, mode=mode)

    @property
    def _replays_graphs(self) -> bool:
        """Whether what the compiled networks put out is overwritten by the next round."""
        return self.spec.cuda_graphs and self.device.type == "cuda"

    def start(self, snapshot: Snapshot | None) -> Progress:
        """Restore a snapshot, if there is one, and return its progress; else the beginning's."""
        if snapshot is None:
            return Progress()
        self.restore(snapshot)
        return snapshot.progress

    def begin_round(self, *, images_seen: int, fraction: float, left: float) -> None:
        """Sets both learning rates to what the spec and its schedules make of them, times what the guard has left.

        So many images were seen before the round, and `fraction` of the budget was spent.
        """
        if self._replays_graphs:
            torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]  # PyTorch gives this function no types
        seen = images_seen + self.spec.batch_size
        for optimizer, wish in (
            (self.generator_optimizer, self.spec.generator_optimizer),
            (self.discriminator_optimizer, self.spec.discriminator_optimizer),
        ):
            factor = lr_schedules.factor(wish.schedule, fraction=fraction, images_seen=seen)
            optimizer.lr = wish.lr * factor * left

    def learning_rates(self) -> dict[str, float]:
        """Under their metrics' names."""
        return {
            "lr_g": self.generator_optimizer.lr,
            "lr_d": self.discriminator_optimizer.lr,
        }

    def sampled(self) -> nn.Module:
        """The generator that samples are drawn from."""
        return self.generator if self.average is None else self.average

    def parameters(self) -> list[Tensor]:
        return [*self.generator_parameters, *self.discriminator_parameters]

    def tensors(self) -> list[Tensor]:
        """Every tensor of the state, live."""
        averages = [] if self.average is None else self.average.state_dict().values()
        return [
            *self.generator.state_dict().values(),
            *self.discriminator.state_dict().values(),
            *averages,
            *optimizers.state(self.generator_optimizer).values(),
            *optimizers.state(self.discriminator_optimizer).values(),
            *self.meter.sums.values(),
            *self.memory.values(),
        ]

    def update_average(self, *, images_seen: int, step_images: int) -> None:
        """Ends a round. First the processes pool what they found: the average follows batch statistics too, and a run's
        bits must not depend on where it was stopped.
        """
        self._pool()
        if self.average is not None:
            keep = ema.keep_share(self.spec.ema, images_seen=images_seen, step_images=step_images)
            ema.update(self.average, self.generator, keep=keep)

    def snapshot(self, progress: Progress) -> Snapshot:
        """Return a copy of everything, which later steps do not touch."""
        roles = {"generator": self.generator, self.opponent: self.discriminator}
        sides = {"generator": self.generator_optimizer, self.opponent: self.discriminator_optimizer}
        return Snapshot(
            spec=self.spec,
            progress=progress.model_copy(update={"summed": self.meter.counts}),
            networks={role: _copies(network.state_dict()) for role, network in roles.items()},
            averages={} if self.average is None else {"generator": _copies(self.average.state_dict())},
            optimizers={role: _copies(optimizers.state(optimizer)) for role, optimizer in sides.items()},
            sums=_copies(self.meter.sums),
            statistics=_copies(self.memory),
        )

    def restore(self, snapshot: Snapshot) -> None:
        """Raises ValueError if the snapshot is of networks of another shape."""
        try:
            self.generator.load_state_dict(snapshot.networks["generator"])
            self.discriminator.load_state_dict(snapshot.networks[self.opponent])
            if self.average is not None:
                self.average.load_state_dict(snapshot.sampled)
        except (RuntimeError, KeyError) as error:
            raise ValueError(f"the checkpoint does not fit the spec's networks: {error}") from error
        optimizers.restore(self.generator_optimizer, snapshot.optimizers["generator"])
        optimizers.restore(self.discriminator_optimizer, snapshot.optimizers[self.opponent])
        self.meter.restore(snapshot.sums, snapshot.progress.summed, device=self.device)
        self.memory = {name: tensor.to(self.device, copy=True) for name, tensor in snapshot.statistics.items()}

    def _pool(self) -> None:
        """Makes what each process has found by itself in a round the mean over all: the meter and batch statistics."""
        if self.group.size == 1:
            return
        sums = self.meter.sums
        means = self.group.mean([*sums.values(), *self._statistics])
        self.meter.restore(dict(zip(sums, means, strict=False)), self.meter.counts, device=self.device)
        if self._statistics:
            torch._foreach_copy_(self._statistics, means[len(sums) :])


def _statistics(network: nn.Module) -> list[Tensor]:
    """What a network's state holds besides its parameters and counters, live."""
    trained = dict(network.named_parameters())
    state = network.state_dict()
    return [tensor for name, tensor in state.items() if name not in trained and tensor.is_floating_point()]


def _copies(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}
