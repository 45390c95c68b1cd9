"""The choice of the method that trains a spec, and its requirements. `models.training.methods` holds the methods."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models.specs.training import TrainingSpec


@dataclass(frozen=True)
class Choice:
    asked_for: Callable[[TrainingSpec], bool]
    """Whether a spec asks for this method. If it asks for several, the first in `REGISTRY` trains it."""
    problem: Callable[[TrainingSpec], str | None]
    """(a spec that asks for the method) -> the unmet requirement and its remedy, in words; None: there is none."""


def name(spec: TrainingSpec) -> str:
    """Return the name of the method that trains a spec."""
    return next(name for name, choice in REGISTRY.items() if choice.asked_for(spec))


def first_problem(spec: TrainingSpec) -> str | None:
    """Return the first unmet requirement of the methods that a spec asks for; None: there is none."""
    problems = (choice.problem(spec) for choice in REGISTRY.values() if choice.asked_for(spec))
    return next((problem for problem in problems if problem is not None), None)


def _vae_problem(spec: TrainingSpec) -> str | None:
    if spec.architecture.kind != "vae":
        return "loss elbo trains an autoencoder: set architecture.kind to vae or choose another loss"
    if spec.loss.kind != "elbo":
        return f"architecture vae is not adversarial: set loss.kind to elbo, not {spec.loss.kind}"
    if spec.penalties:
        return f"architecture vae has no discriminator for penalty {spec.penalties[0].kind}: set penalties to []"
    if spec.discriminator_steps > 1:
        return "architecture vae has no discriminator: set discriminator_steps to 1"
    if spec.augment.kind not in {"none", "flip"}:
        return f"architecture vae would learn to draw what augment {spec.augment.kind} does: set it to none or flip"
    return None


def _extragradient_problem(spec: TrainingSpec) -> str | None:
    if len(_optimizers(spec)) > 1:
        return (
            "extra_adam looks ahead with both networks: set both generator_optimizer and discriminator_optimizer to it"
        )
    if spec.discriminator_steps > 1 or spec.architecture.kind == "vae":
        return "extra_adam moves a generator and a discriminator once each: set discriminator_steps to 1, use no vae"
    return None


def _optimizers(spec: TrainingSpec) -> set[str]:
    return {spec.generator_optimizer.kind, spec.discriminator_optimizer.kind}


REGISTRY: dict[str, Choice] = {
    "vae": Choice(lambda spec: spec.architecture.kind == "vae" or spec.loss.kind == "elbo", _vae_problem),
    "extragradient": Choice(lambda spec: "extra_adam" in _optimizers(spec), _extragradient_problem),
    "alternating": Choice(lambda spec: True, lambda spec: None),
}
