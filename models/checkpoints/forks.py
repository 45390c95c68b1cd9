"""Forks: a run that goes on from another run's checkpoint under another spec."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from models.specs import TrainingSpec

if TYPE_CHECKING:
    from torch import Tensor

    from models.checkpoints.checkpoint import State

NETWORKS = ("architecture", "labels")
"""The fields that say what weights there are; beside the shape of the dataset's images."""


def problem(parent: TrainingSpec, spec: TrainingSpec, *, images_seen: int) -> tuple[str, str] | None:
    """Why a spec cannot go on from a checkpoint of another one: the field's name and what is wrong; None if it can."""
    for field in NETWORKS:
        if getattr(spec, field) != getattr(parent, field):
            return field, "a fork keeps its parent's networks: leave this out, or submit a new job"
    ours, theirs = spec.dataset.facts, parent.dataset.facts
    if (ours.channels, ours.resolution) != (theirs.channels, theirs.resolution):
        return "dataset", f"{ours.name}'s images are not of the shape that {theirs.name}'s generator draws"
    if spec.labels and len(ours.classes) != len(theirs.classes):
        return "dataset", f"{ours.name} has {len(ours.classes)} classes, the networks know {len(theirs.classes)}"
    if spec.budget.images is not None and spec.budget.images <= images_seen:
        message = f"images: the checkpoint has seen {images_seen} already, and they count: use more"
        return "budget", message
    return None


def begin(state: State, spec: TrainingSpec) -> State:
    """A state to go on from under a spec that need not be its own.

    The networks and the place in the data's order stay; seconds count from 0. What the spec has not changed stays too:
    an optimizer's moments, the memory of penalties and augmentations, what the guard has left of the learning rates. An
    average that begins here begins as the generator.
    """
    was = state.spec
    kept_g = was.generator_optimizer.kind == spec.generator_optimizer.kind
    kept_d = was.discriminator_optimizer.kind == spec.discriminator_optimizer.kind
    same_terms = (was.loss, was.penalties, was.augment) == (spec.loss, spec.penalties, spec.augment)
    fresh: dict[str, object] = {"training_seconds": 0.0}
    if not same_terms:
        fresh |= {"summed": {}}
    if (was.generator_optimizer, was.discriminator_optimizer) != (
        spec.generator_optimizer,
        spec.discriminator_optimizer,
    ):
        fresh |= {"learning_rate_factor": 1.0, "repairs": 0, "failed_at": 0}
    averages = spec.ema.half_life_images > 0
    return replace(
        state,
        spec=spec,
        position=state.position.model_copy(update=fresh),
        average=(state.average or state.generator) if averages else None,
        generator_optimizer=state.generator_optimizer if kept_g else {},
        discriminator_optimizer=state.discriminator_optimizer if kept_d else {},
        sums=state.sums if same_terms else {},
        memory=_remembered(state, spec),
        good=None,
    )


def _remembered(state: State, spec: TrainingSpec) -> dict[str, Tensor]:
    """By the penalties and the augmentation that stay as they are. All of it is about logits, which a loss gives their
    meaning.
    """
    was = state.spec
    if was.loss != spec.loss:
        return {}
    kinds: set[str] = {penalty.kind for penalty in was.penalties if penalty in spec.penalties}
    if was.augment == spec.augment:
        kinds.add(was.augment.kind)
    return {name: tensor for name, tensor in state.memory.items() if name.partition(".")[0] in kinds}
