"""The guard: NaN is noticed, never steps, is never saved; the run is repaired, or ends."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models import losses, optimizers, training
from models.checkpoints import checkpoint
from models.checkpoints.progress import Progress
from models.runtime import finite
from models.specs import AdamOptimizer, GuardRepair, TrainingSpec
from models.training import guard

Make = Callable[..., TrainingSpec]
Run = Callable[..., list[training.Event]]
LONG: dict[str, Any] = {"budget": {"images": 1280, "seconds": None}, "checkpoint": {"every_images": 320}}


@pytest.fixture
def poison(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Callable[[int], bool]], None]:
    """Makes a side's loss NaN in the calls, counted from 0, that a predicate names."""

    def apply(side: str, is_bad: Callable[[int], bool]) -> None:
        healthy = losses.REGISTRY["relativistic_paired"]
        calls = itertools.count()
        original = getattr(healthy, side)

        def poisoned(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
            loss: torch.Tensor = original(real, fake)
            return loss * float("nan") if is_bad(next(calls)) else loss

        monkeypatch.setitem(losses.REGISTRY, "relativistic_paired", replace(healthy, **{side: poisoned}))

    return apply


@pytest.mark.parametrize("side", ["discriminator", "generator"])
def test_a_run_that_is_poisoned_once_is_rolled_back_and_finishes(
    tiny: Make, events: Run, poison: Callable[..., None], side: str
) -> None:
    poison(side, lambda call: call == 17)  # the 18th step, 576 images; the tick at 640 notices
    run = events(tiny(**LONG))
    (repaired,) = [event for event in run if isinstance(event, training.Repaired)]
    assert repaired == training.Repaired(
        640,
        detector="non_finite",
        remedy="roll_back",
        details={"back_to_images": 320.0, "learning_rate_factor": 0.5, "repairs": 1.0},
    )
    assert run[-1] == training.Finished(1280, "budget_images")
    last = [event for event in run if isinstance(event, training.Tick)][-1]
    assert (last.values["lr_g"], last.values["lr_d"]) == (5e-4, 3e-4)


@pytest.mark.parametrize("side", ["discriminator", "generator"])
def test_nothing_that_is_yielded_is_ever_non_finite(
    tiny: Make, events: Run, poison: Callable[..., None], side: str
) -> None:
    poison(side, lambda call: call % 15 == 14)
    run = events(tiny(**LONG, guard={"kind": "repair", "max_repairs": 50}))
    dues = [event for event in run if isinstance(event, training.CheckpointDue)]
    assert len([event for event in run if isinstance(event, training.Repaired)]) >= 2
    assert len(dues) == 4
    assert all(due.snapshot.is_finite() for due in dues)
    values = [value for event in run if isinstance(event, training.Tick) for value in event.values.values()]
    assert torch.tensor(values).isfinite().all()


def test_a_failure_that_no_repair_gets_past_ends_as_diverged(
    tiny: Make, events: Run, poison: Callable[..., None]
) -> None:
    poison("discriminator", lambda call: call >= 17)
    with pytest.raises(training.Diverged, match="3 repairs did not get the run past it") as caught:
        events(tiny(**LONG, guard={"kind": "repair", "max_repairs": 3}))
    assert caught.value.code == "non_finite"
    assert caught.value.images_seen > 320


def test_without_a_guard_the_first_failure_ends_the_run(tiny: Make, events: Run, poison: Callable[..., None]) -> None:
    poison("generator", lambda call: call == 0)
    with pytest.raises(training.Diverged) as caught:
        events(tiny(**LONG, guard={"kind": "off"}))
    assert caught.value.images_seen == 32


def test_a_repaired_run_resumed_is_the_one_that_was_not_stopped(
    tiny: Make, events: Run, poison: Callable[..., None], tmp_path: Path
) -> None:
    poison("discriminator", lambda call: call == 17)
    spec = tiny(**LONG)
    whole = [event for event in events(spec) if isinstance(event, training.CheckpointDue)]
    checkpoint.write(tmp_path, whole[1].snapshot)
    resumed = events(spec, resume=checkpoint.read(tmp_path))
    (_, last) = [event for event in resumed if isinstance(event, training.CheckpointDue)]
    assert last.snapshot.progress.guard_factor == 0.5
    assert last.snapshot.progress.salt == 1
    ours, theirs = last.snapshot.networks["generator"], whole[-1].snapshot.networks["generator"]
    assert all(torch.equal(ours[name], tensor) for name, tensor in theirs.items())


def test_a_non_finite_gradient_moves_neither_weights_nor_moments() -> None:
    weight = torch.nn.Parameter(torch.ones(3))
    optimizer = optimizers.build(AdamOptimizer(lr=0.1), parameters=[weight])
    optimizers.step(optimizer, [torch.ones(3)])
    before = {name: tensor.clone() for name, tensor in optimizers.state(optimizer).items()}
    kept = weight.detach().clone()
    norm = optimizers.step(optimizer, [torch.tensor([1.0, float("nan"), 1.0])])
    assert not norm.isfinite()
    assert torch.equal(weight, kept)
    assert all(torch.equal(before[name], tensor) for name, tensor in optimizers.state(optimizer).items())


@given(
    good=st.builds(Progress, images_seen=st.integers(0, 1000)),
    beyond=st.integers(1, 1000),
    repairs=st.integers(0, 4),
    factor=st.sampled_from([1.0, 0.5, 0.125]),
)
def test_every_repair_goes_back_and_is_counted(good: Progress, beyond: int, repairs: int, factor: float) -> None:
    failed = Progress(
        images_seen=good.images_seen + beyond,
        guard={"roll_back": {"repairs": repairs, "failed_at": 0}},
        salt=repairs,
        guard_factor=factor,
    )
    onward = guard.repair(GuardRepair(max_repairs=5), guard.Failure("x", "y"), failed=failed, good=good)
    assert onward.images_seen == good.images_seen
    assert onward.guard_factor == factor / 2
    assert onward.salt == repairs + 1
    assert onward.guard["roll_back"] == {"repairs": repairs + 1, "failed_at": failed.images_seen}
    assert guard.kept(onward) == onward
    past = guard.kept(onward.model_copy(update={"images_seen": failed.images_seen + 1}))
    assert past.guard["roll_back"]["repairs"] == 0


def test_an_overflowing_sum_of_finite_numbers_is_no_failure() -> None:
    assert finite.all_finite([torch.full((4,), 3e38)])
    assert finite.all_finite([])
    assert not finite.all_finite([torch.tensor([float("inf"), -float("inf")])])
    assert not finite.all_finite([torch.ones(2), torch.tensor([float("nan")])])
