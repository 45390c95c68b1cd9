"""The penalties by kind: terms of the discriminator's loss beside telling real from fake."""

from models.penalties.clipping import clip
from models.penalties.consistency import consistency
from models.penalties.context import PenaltyContext
from models.penalties.lecam import lecam
from models.penalties.penalty import Penalty
from models.penalties.slopes import dragan, gradient_penalty, r1, r2

__all__ = ["REGISTRY", "Penalty", "PenaltyContext"]

REGISTRY: dict[str, Penalty] = {
    # A slope (1) is differentiated once more (4).
    "r1": Penalty(r1, passes=5, needs_gradients=True),
    "r2": Penalty(r2, passes=5, needs_gradients=True),
    # The same at images of its own, which take a forward pass.
    "gradient_penalty": Penalty(gradient_penalty, passes=6),
    "dragan": Penalty(dragan, passes=6),
    "weight_clip": Penalty(term=None, passes=0, project=clip),
    "lecam": Penalty(lecam, passes=0),
    # Two more images, each with a forward and a full backward pass.
    "consistency": Penalty(consistency, passes=6),
}
