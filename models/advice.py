"""Advice on a spec: what is allowed but likely a mistake."""

from models.spec import TrainingSpec


def warnings(spec: TrainingSpec) -> list[str]:
    """What is allowed but likely a mistake, for a person to read."""
    found = []
    if spec.augment.kind == "flip" and not spec.dataset.facts.flips_natural:
        found.append(f"augment flip: the images of {spec.dataset.name} are not mirror-symmetric, samples will mix both")
    if spec.budget.images and spec.checkpoint.every_images > spec.budget.images:
        found.append("checkpoint.every_images is beyond the budget: the only checkpoint comes at the end")
    if not spec.penalties and spec.loss.kind != "non_saturating":
        found.append(f"loss {spec.loss.kind} without a penalty tends to diverge: add r1 and r2")
    if spec.guard.kind == "off":
        found.append("guard off: a divergence ends the run")
    return found
