"""The penalties by kind: terms added to the discriminator's loss, or constraints on its weights."""

from models.penalties.clipping import clip
from models.penalties.consistency import consistency
from models.penalties.context import PenaltyContext
from models.penalties.lecam import lecam
from models.penalties.penalty import Penalty
from models.penalties.slopes import dragan, gradient_penalty, r1, r2

__all__ = ["REGISTRY", "Penalty", "PenaltyContext"]

REGISTRY: dict[str, Penalty] = {
    # The gradient for the images (1) is differentiated again (4).
    "r1": Penalty(r1, passes=5, needs_gradients=True),
    "r2": Penalty(r2, passes=5, needs_gradients=True),
    # As above, with a forward pass for images of its own.
    "gradient_penalty": Penalty(gradient_penalty, passes=6),
    "dragan": Penalty(dragan, passes=6),
    "weight_clip": Penalty(term=None, passes=0, project=clip),
    "lecam": Penalty(lecam, passes=0),
    # Two more images, each with a forward pass (1) and a full backward pass (2).
    "consistency": Penalty(consistency, passes=6),
}
