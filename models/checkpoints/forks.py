"""Forks: how a run goes on from a snapshot under another spec."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from models.specs import TrainingSpec

if TYPE_CHECKING:
    from torch import Tensor

    from models.checkpoints.snapshot import Snapshot

NETWORKS = ("architecture", "labels")
"""The fields, beside the shape of the dataset's images, that say what weights there are."""


def problem(parent: TrainingSpec, spec: TrainingSpec, *, images_seen: int) -> tuple[str, str] | None:
    """Return why a spec cannot go on from another's checkpoint: the field and what is wrong; None if it can."""
    for field in NETWORKS:
        if getattr(spec, field) != getattr(parent, field):
            return field, "a fork keeps its parent's networks: leave this out, or submit a new job"
    ours, theirs = spec.dataset, parent.dataset
    if (ours.facts.channels, ours.facts.resolution) != (theirs.facts.channels, theirs.facts.resolution):
        return "dataset", f"{ours.name}'s images are not of the shape that {theirs.name}'s generator draws"
    if spec.labels and ours.facts.classes != theirs.facts.classes:
        return "dataset", f"{ours.name} has {ours.facts.classes} classes, the networks know {theirs.facts.classes}"
    if spec.budget.images is not None and spec.budget.images <= images_seen:
        message = f"images: the checkpoint has seen {images_seen} already, and they count: use more"
        return "budget", message
    return None


def begin(snapshot: Snapshot, spec: TrainingSpec) -> Snapshot:
    """Return the snapshot that a fork starts from. Its seconds count from 0.

    The guard starts anew where an optimizer has changed, since what it has learnt is about the old learning rates.
    """
    going_on = under(snapshot, spec)
    fresh: dict[str, object] = {"training_seconds": 0.0, "amended": False}
    if _optimizers(snapshot.spec) != _optimizers(spec):
        fresh |= {"guard_factor": 1.0, "guard": {}}
    return replace(going_on, progress=going_on.progress.model_copy(update=fresh))


def under(snapshot: Snapshot, spec: TrainingSpec) -> Snapshot:
    """Return a snapshot that goes on under another spec with the same networks.

    The networks and the place in the data's order stay. What the spec has not changed stays too: the optimizers' state,
    and what penalties and augmentations remember. A moving average that starts here starts as the network itself.
    """
    was = snapshot.spec
    same_terms = (was.loss, was.penalties, was.augment) == (spec.loss, spec.penalties, spec.augment)
    progress = snapshot.progress if same_terms else snapshot.progress.model_copy(update={"summed": {}})
    averages = snapshot.averages or {"generator": snapshot.sampled}
    return replace(
        snapshot,
        spec=spec,
        progress=progress,
        averages=averages if spec.ema.half_life_images > 0 else {},
        optimizers={role: state if _is_kept(role, was, spec) else {} for role, state in snapshot.optimizers.items()},
        sums=snapshot.sums if same_terms else {},
        statistics=_remembered(snapshot, spec),
        good=None,
    )


def _optimizers(spec: TrainingSpec) -> tuple[object, object]:
    return spec.generator_optimizer, spec.discriminator_optimizer


def _is_kept(role: str, was: TrainingSpec, spec: TrainingSpec) -> bool:
    """Whether the state of a network's optimizer fits its new one."""
    field = "generator_optimizer" if role == "generator" else "discriminator_optimizer"
    kept: bool = getattr(was, field).kind == getattr(spec, field).kind
    return kept


def _remembered(snapshot: Snapshot, spec: TrainingSpec) -> dict[str, Tensor]:
    """The statistics of the penalties and the augmentation that stay as they are.

    All of them are about logits, which a loss gives their meaning.
    """
    was = snapshot.spec
    if was.loss != spec.loss:
        return {}
    kinds: set[str] = {penalty.kind for penalty in was.penalties if penalty in spec.penalties}
    if was.augment == spec.augment:
        kinds.add(was.augment.kind)
    return {name: tensor for name, tensor in snapshot.statistics.items() if name.partition(".")[0] in kinds}
