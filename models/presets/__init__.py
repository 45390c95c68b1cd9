"""Named recipes, and how a part of a spec is completed by one or amended."""

from models.presets.completion import DEFAULT_DATASET, amend, resolve
from models.presets.registry import DEFAULT, REGISTRY, Preset

__all__ = ["DEFAULT", "DEFAULT_DATASET", "REGISTRY", "Preset", "amend", "resolve"]
