"""The guard: detectors say what is wrong with a run, remedies say how it goes on, the policy picks among them."""

from models.training.guard.policy import LADDERS, look, repair, settled
from models.training.guard.verdict import Diverged, Evidence, Repair, Verdict

__all__ = ["LADDERS", "Diverged", "Evidence", "Repair", "Verdict", "look", "repair", "settled"]
