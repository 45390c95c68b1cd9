"""The penalties by kind: what is asked of a discriminator besides telling real from fake."""

from models.penalties.clipping import clip
from models.penalties.consistency import consistency
from models.penalties.judgement import Judgement
from models.penalties.lecam import lecam
from models.penalties.penalty import Penalty
from models.penalties.slopes import dragan, gradient_penalty, r1, r2

__all__ = ["REGISTRY", "Judgement", "Penalty"]

REGISTRY: dict[str, Penalty] = {
    "r1": Penalty(r1, needs_gradients=True),
    "r2": Penalty(r2, needs_gradients=True),
    "gradient_penalty": Penalty(gradient_penalty),
    "dragan": Penalty(dragan),
    "weight_clip": Penalty(term=None, project=clip),
    "lecam": Penalty(lecam),
    "consistency": Penalty(consistency),
}
