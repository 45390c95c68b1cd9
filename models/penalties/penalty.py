"""Penalty: what a kind of penalty asks of a discriminator."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from models.penalties.judgement import Judgement


@dataclass(frozen=True)
class Penalty:
    term: Callable[[Any, Judgement], Tensor] | None
    """(its spec, the judgement) -> what is added to the loss, a scalar with the weight in it. None: nothing."""
    needs_gradients: bool = False
    """Whether the judgement's images must require grad."""
    project: Callable[[Any, Sequence[Tensor]], None] | None = None
    """(its spec, the discriminator's parameters): changes them in place, after each discriminator step."""
