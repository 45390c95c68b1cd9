"""The methods by name: the order in which networks are updated. `models.specs.methods` chooses a spec's method."""

import torch

from models import specs
from models.runtime import parallel
from models.training.methods import compiled
from models.training.methods.alternating import Alternating
from models.training.methods.compiled import CompiledAlternating
from models.training.methods.extragradient import Extragradient
from models.training.methods.method import Method, Shown
from models.training.methods.vae import Vae
from models.training.state import TrainingState

__all__ = ["REGISTRY", "Method", "Shown", "prepare"]


def prepare(
    spec: specs.TrainingSpec, *, device: torch.device, group: parallel.Group = parallel.SOLO
) -> tuple[TrainingState, Method]:
    """Return the state before the first step, and the method that trains it. Raises ValueError like TrainingState."""
    kind = REGISTRY[specs.methods.name(spec)]
    state = TrainingState(spec, kind.players(spec), device=device, group=group)
    if compiled.can_compile(spec, device=device, processes=group.size):
        return state, CompiledAlternating(spec, device=device)
    if spec.compile:
        state.compile_networks()
    return state, kind(spec, device=device)


REGISTRY: dict[str, type[Method]] = {
    "alternating": Alternating,
    "extragradient": Extragradient,
    "vae": Vae,
}
