"""Advice on a spec: settings that are allowed but likely a mistake."""

from models.specs import TrainingSpec

NEED_SMOOTHNESS = {
    "minimax": "add r1 and r2",
    "wasserstein": "add gradient_penalty, or weight_clip, or a discriminator with spectral norm",
    "relativistic_paired": "add r1 and r2",
    "relativistic_average": "add r1 and r2",
}
"""Losses that tend to diverge if the discriminator's slope is not bounded, and the remedy for each."""

ZERO_MEANS_NOTHING = {"wasserstein", "relativistic_paired", "relativistic_average"}
"""Losses for which only differences of logits count, so that a logit of zero has no meaning."""


def _is_smooth(spec: TrainingSpec) -> bool:
    return bool(spec.penalties) or getattr(spec.architecture, "discriminator_norm", "none") == "spectral"


def warnings(spec: TrainingSpec) -> list[str]:
    """Return a message, for people, about each setting that is allowed but likely a mistake."""
    found = []
    if (spec.augment.kind == "flip" or getattr(spec.augment, "flip", False)) and not spec.dataset.facts.flips_natural:
        found.append(f"augment flip: the images of {spec.dataset.name} are not mirror-symmetric, samples will mix both")
    if spec.budget.images and spec.checkpoint.every_images > spec.budget.images:
        found.append("checkpoint.every_images is beyond the budget: the only checkpoint comes at the end")
    if spec.loss.kind in NEED_SMOOTHNESS and not _is_smooth(spec):
        found.append(f"loss {spec.loss.kind} without a penalty tends to diverge: {NEED_SMOOTHNESS[spec.loss.kind]}")
    if any(penalty.kind == "lecam" for penalty in spec.penalties) and spec.loss.kind in ZERO_MEANS_NOTHING:
        found.append(f"penalty lecam ties logits down that loss {spec.loss.kind} leaves free: use it with hinge")
    if spec.guard.kind == "off":
        found.append("guard off: a divergence ends the run")
    return found
