"""The guard: detectors find failures of a run, remedies repair them, and the policy chooses the remedy."""

from models.training.guard.policy import LADDERS, check, repair, settled
from models.training.guard.verdict import Diverged, Evidence, Repair, Verdict

__all__ = ["LADDERS", "Diverged", "Evidence", "Repair", "Verdict", "check", "repair", "settled"]
