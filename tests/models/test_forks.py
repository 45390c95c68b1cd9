"""Forks: what may change, what is kept and dropped, and that training continues."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from models import presets, training
from models.checkpoints import checkpoint, forks
from models.specs import TrainingSpec

Make = Callable[..., TrainingSpec]
Run = Callable[..., list[training.Event]]
SGD = {"generator_optimizer": {"kind": "sgd"}, "discriminator_optimizer": {"kind": "sgd"}}
LECAM = {"kind": "lecam"}
ADAPTIVE = {"kind": "adaptive", "policies": ["translation"]}
POINTS: dict[str, Any] = {
    "dataset": {"name": "ring"},
    "architecture": {"kind": "mlp", "latent_dim": 4, "generator_widths": [8], "discriminator_widths": [8]},
}


def equal(left: Mapping[str, Tensor], right: Mapping[str, Tensor]) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


# What may change


def test_other_rates_penalties_averages_and_seeds_can_go_on(tiny: Make) -> None:
    changes = SGD | {"seed": 7, "penalties": [], "ema": {"half_life_images": 0}, "batch_size": 16, "name": "other"}
    changes |= {"budget": {"images": 1000, "seconds": None}, "loss": {"kind": "hinge"}, "augment": ADAPTIVE}
    assert forks.problem(tiny(), tiny(**changes), images_seen=999) is None


def test_a_budget_of_seconds_alone_begins_anew(tiny: Make) -> None:
    spec = tiny(budget={"images": None, "seconds": 1.0})
    assert forks.problem(spec, spec, images_seen=10**9) is None


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("architecture", {"architecture": {"latent_dim": 9}}),
        ("architecture", {"architecture": {"kind": "dcgan", "channels": 4}}),
        ("labels", {"labels": True}),
    ],
)
def test_other_networks_cannot_go_on(tiny: Make, field: str, changes: dict[str, Any]) -> None:
    message = "a fork keeps its parent's networks: leave this out, or submit a new job"
    assert forks.problem(tiny(), tiny(**changes), images_seen=0) == (field, message)


def test_images_of_another_shape_cannot_go_on(tiny: Make) -> None:
    spec = tiny(dataset={"name": "fashion-mnist"})
    message = "fashion-mnist's images are not of the shape that digits's generator draws"
    assert forks.problem(tiny(), spec, images_seen=0) == ("dataset", message)


def test_another_dataset_of_the_same_shape_can_go_on_where_no_classes_are_told() -> None:
    ring, grid = (presets.resolve(POINTS | {"dataset": {"name": name}}) for name in ("ring", "grid"))
    assert forks.problem(ring, grid, images_seen=0) is None
    told_ring, told_grid = (spec.model_copy(update={"labels": True}) for spec in (ring, grid))
    message = "grid has 25 classes, the networks know 8"
    assert forks.problem(told_ring, told_grid, images_seen=0) == ("dataset", message)


@pytest.mark.parametrize("images", [64, 63])
def test_a_budget_that_is_used_up_already_cannot_go_on(tiny: Make, images: int) -> None:
    spec = tiny(budget={"images": images, "seconds": None})
    message = "images: the checkpoint has seen 64 already, and they count: use more"
    assert forks.problem(spec, spec, images_seen=64) == ("budget", message)
    assert forks.problem(spec, spec, images_seen=62) is None


# What is kept


def test_what_the_spec_leaves_alone_is_kept_and_seconds_begin_anew(tiny: Make, state: training.Snapshot) -> None:
    progress = state.progress.model_copy(
        update={
            "training_seconds": 9.0,
            "guard_factor": 0.5,
            "guard": {"roll_back": {"repairs": 1, "failed_at": 40}},
            "salt": 2,
        }
    )
    spec = tiny(seed=7, budget={"images": 10**6, "seconds": None})
    began = forks.begin(replace(state, progress=progress), spec)
    assert began.spec == spec
    assert began.progress == progress.model_copy(update={"training_seconds": 0.0})
    before, after = state.parts(), began.parts()
    assert before.keys() == after.keys()
    assert all(equal(before[part], after[part]) for part in before)
    assert state.sums
    assert state.optimizers["generator"]


def test_networks_stay_whatever_changes(tiny: Make, state: training.Snapshot) -> None:
    began = forks.begin(state, tiny(**SGD, loss={"kind": "hinge"}, penalties=[], ema={"half_life_images": 0}))
    assert equal(began.networks["generator"], state.networks["generator"])
    assert equal(began.networks["discriminator"], state.networks["discriminator"])
    assert began.progress.images_seen == state.progress.images_seen


def test_another_kind_of_optimizer_begins_without_moments_and_with_all_of_its_rate(
    tiny: Make, state: training.Snapshot
) -> None:
    memory = {"roll_back": {"repairs": 2, "failed_at": 40}}
    progress = state.progress.model_copy(update={"guard_factor": 0.5, "guard": memory})
    cut = replace(state, progress=progress)
    one_side = forks.begin(cut, tiny(generator_optimizer={"kind": "sgd"}))
    assert one_side.optimizers["generator"] == {}
    assert equal(one_side.optimizers["discriminator"], state.optimizers["discriminator"])
    other_rate = forks.begin(cut, tiny(discriminator_optimizer={"lr": 1e-5}))
    assert equal(other_rate.optimizers["discriminator"], state.optimizers["discriminator"])
    for began in (one_side, other_rate):
        found = began.progress
        assert (found.guard_factor, found.guard) == (1.0, {})


@pytest.mark.parametrize(
    "changes", [{"loss": {"kind": "hinge"}}, {"penalties": []}, {"augment": {"kind": "flip"}}], ids=str
)
def test_the_tick_under_way_begins_anew_with_other_terms(
    tiny: Make, state: training.Snapshot, changes: dict[str, Any]
) -> None:
    began = forks.begin(state, tiny(**changes))
    assert began.sums == {}
    assert began.progress.summed == {}


def test_statistics_stay_with_the_penalty_or_augmentation_that_it_is_of(tiny: Make, state: training.Snapshot) -> None:
    statistics = {"lecam.real": torch.ones(()), "lecam.fake": torch.zeros(()), "adaptive.p": torch.full((), 0.4)}
    was = tiny(penalties=[{"kind": "r1"}, LECAM], augment=ADAPTIVE)
    remembering = replace(state, spec=was, statistics=statistics)

    def kept(**changes: Any) -> set[str]:
        return {name.partition(".")[0] for name in forks.begin(remembering, presets.amend(was, changes)).statistics}

    assert kept(seed=7) == {"lecam", "adaptive"}
    assert kept(penalties=[{"kind": "r1", "weight": 2.0}, LECAM]) == {"lecam", "adaptive"}
    assert kept(penalties=[]) == {"adaptive"}
    assert kept(augment={"kind": "none"}) == {"lecam"}
    assert kept(augment={"policies": ["cutout"]}) == {"lecam"}
    assert kept(loss={"kind": "hinge"}) == set()


def test_an_average_that_begins_here_begins_as_the_generator(tiny: Make, state: training.Snapshot) -> None:
    assert state.averages
    without = forks.begin(state, tiny(ema={"half_life_images": 0}))
    assert not without.averages
    assert equal(without.sampled, state.networks["generator"])
    again = forks.begin(without, tiny())
    assert again.averages
    assert equal(again.averages["generator"], state.networks["generator"])
    longer = forks.begin(state, tiny(ema={"half_life_images": 12_345}))
    assert longer.averages
    assert equal(longer.averages["generator"], state.averages["generator"])


# That training goes on


OPTIMIZERS = ["adamw", "rmsprop", "sgd", "optimistic_adam", "extra_adam"]
FORKS: dict[str, dict[str, Any]] = {
    **{
        kind: {f"{player}_optimizer": {"kind": kind} for player in ("generator", "discriminator")}
        for kind in OPTIMIZERS
    },
    "no average": {"ema": {"half_life_images": 0}},
    "another loss": {"loss": {"kind": "hinge"}, "penalties": []},
    "lecam and adaptive": {"penalties": [LECAM], "augment": ADAPTIVE},
    "another batch": {"batch_size": 24, "accumulation_steps": 2},
    "more turns": {"discriminator_steps": 2},
    "another seed": {"seed": 7},
}


def forked(state: training.Snapshot, spec: TrainingSpec, folder: Path) -> checkpoint.Checkpoint:
    """Return the checkpoint as a worker has it: read from disk."""
    folder.mkdir()
    checkpoint.write(folder, state)
    found = checkpoint.read(folder)
    return replace(found, snapshot=forks.begin(found.snapshot, spec))


def two_more_steps(spec: TrainingSpec, *, seen: int) -> TrainingSpec:
    images = seen + 2 * spec.batch_size * spec.discriminator_steps
    return spec.model_copy(update={"budget": spec.budget.model_copy(update={"images": images})})


@pytest.mark.parametrize("case", FORKS)
def test_training_goes_on_for_two_steps(
    tiny: Make, events: Run, state: training.Snapshot, tmp_path: Path, case: str
) -> None:
    seen = state.progress.images_seen
    spec = two_more_steps(tiny(**FORKS[case]), seen=seen)
    assert forks.problem(state.spec, spec, images_seen=seen) is None
    run = events(spec, resume=forked(state, spec, tmp_path / "parent"))
    finished, due = run[-1], run[-2]
    assert finished == training.Finished(spec.budget.images or 0, "budget_images")
    assert isinstance(due, training.CheckpointDue)
    assert due.snapshot.spec == spec
    assert due.snapshot.is_finite()
    assert not equal(due.snapshot.networks["generator"], state.networks["generator"])
    assert not equal(due.snapshot.networks["discriminator"], state.networks["discriminator"])
    assert (due.snapshot.averages == {}) == (case == "no average")
    ticks = [event for event in run if isinstance(event, training.Tick)]
    assert [tick.images_seen for tick in ticks][-1] == spec.budget.images
    checkpoint.write(tmp_path, due.snapshot)
    assert equal(checkpoint.read(tmp_path).snapshot.sampled, due.snapshot.sampled)


def test_an_average_can_be_switched_on_at_a_fork(tiny: Make, events: Run, tmp_path: Path) -> None:
    plain = tiny(ema={"half_life_images": 0})
    due = events(plain)[-2]
    assert isinstance(due, training.CheckpointDue)
    assert not due.snapshot.averages
    spec = two_more_steps(tiny(), seen=64)
    end = events(spec, resume=forked(due.snapshot, spec, tmp_path / "parent"))[-2]
    assert isinstance(end, training.CheckpointDue)
    assert end.snapshot.averages
    assert not equal(end.snapshot.averages["generator"], due.snapshot.networks["generator"])


def test_a_fork_that_changes_nothing_is_the_parent_going_on(
    tiny: Make, events: Run, state: training.Snapshot, tmp_path: Path
) -> None:
    spec = two_more_steps(state.spec, seen=state.progress.images_seen)
    folder = tmp_path / "parent"
    fork = events(spec, resume=forked(state, spec, folder))[-2]
    going_on = events(spec, resume=checkpoint.read(folder))[-2]
    assert isinstance(fork, training.CheckpointDue)
    assert isinstance(going_on, training.CheckpointDue)
    ours, theirs = fork.snapshot.parts(), going_on.snapshot.parts()
    assert all(equal(ours[part], theirs[part]) for part in ours)
