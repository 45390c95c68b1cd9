"""Named recipes, and the functions that complete a partial spec by one or amend a complete spec."""

from models.presets.completion import DEFAULT_DATASET, Find, amend, resolve
from models.presets.registry import DEFAULT, REGISTRY, Preset
from models.presets.widths import Hardware, remark

__all__ = ["DEFAULT", "DEFAULT_DATASET", "REGISTRY", "Find", "Hardware", "Preset", "amend", "remark", "resolve"]
