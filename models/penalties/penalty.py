"""Penalty: the functions of one kind of penalty, and their cost."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from models.penalties.context import PenaltyContext


@dataclass(frozen=True)
class Penalty:
    term: Callable[[Any, PenaltyContext], Tensor] | None
    """(its spec, the context) -> a scalar to add to the loss, with the weight included. None: nothing is added."""
    passes: float
    """The cost of the term for one real image and one fake, in forward passes of the discriminator.

    A backward pass costs two, or one if it computes gradients for the images only.
    """
    needs_gradients: bool = False
    """Whether the context's images must require grad."""
    project: Callable[[Any, Sequence[Tensor]], None] | None = None
    """(its spec, the discriminator's parameters): change them in place after each discriminator step."""
