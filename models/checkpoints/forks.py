"""Forks: continue from a snapshot under another spec."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from models.specs import TrainingSpec

if TYPE_CHECKING:
    from torch import Tensor

    from models.checkpoints.snapshot import Snapshot

NETWORKS = ("architecture", "labels")
"""The fields that, with the shape of the dataset's images, determine the networks' weights."""


def problem(parent: TrainingSpec, spec: TrainingSpec, *, images_seen: int) -> tuple[str, str] | None:
    """Return the field that prevents a spec from continuing another's checkpoint, and the reason; None if none does."""
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
    """Return the snapshot that a fork starts from. Its seconds and its patience count from 0.

    If an optimizer has changed, the guard's state is reset, because it is about the old learning rates.
    """
    going_on = under(snapshot, spec)
    fresh: dict[str, object] = {"training_seconds": 0.0, "amended": False, "best_rank": None, "stale_evaluations": 0}
    if _optimizers(snapshot.spec) != _optimizers(spec):
        fresh |= {"guard_factor": 1.0, "guard": {}}
    return replace(going_on, progress=going_on.progress.model_copy(update=fresh))


def under(snapshot: Snapshot, spec: TrainingSpec) -> Snapshot:
    """Return a snapshot that continues under another spec with the same networks.

    The networks and the position in the data's order are kept. The optimizers' state and the statistics of penalties
    and augmentations are kept where the spec has not changed them. A moving average that starts here starts as a copy
    of the network.
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
    """Return whether the state of a network's old optimizer fits its new one."""
    field = "generator_optimizer" if role == "generator" else "discriminator_optimizer"
    kept: bool = getattr(was, field).kind == getattr(spec, field).kind
    return kept


def _remembered(snapshot: Snapshot, spec: TrainingSpec) -> dict[str, Tensor]:
    """Return the statistics of the penalties and the augmentation that have not changed.

    If the loss has changed, return none: all statistics are about logits, whose meaning depends on the loss.
    """
    was = snapshot.spec
    if was.loss != spec.loss:
        return {}
    kinds: set[str] = {penalty.kind for penalty in was.penalties if penalty in spec.penalties}
    if was.augment == spec.augment:
        kinds.add(was.augment.kind)
    return {name: tensor for name, tensor in snapshot.statistics.items() if name.partition(".")[0] in kinds}
