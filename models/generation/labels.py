"""Labels that images can be drawn for. Importable without torch."""

from models.specs import TrainingSpec


def problem(label: int | None, *, spec: TrainingSpec) -> str | None:
    """Return the reason why images of a class cannot be drawn; None if they can, or if `label` is None."""
    classes = spec.dataset.facts.classes
    if label is None:
        return None
    if not spec.labels:
        return "the model is unconditional: leave label out"
    if not 0 <= label < classes:
        return f"{label} is none of {spec.dataset.name}'s {classes} classes: use 0 to {classes - 1}"
    return None
