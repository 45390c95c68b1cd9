"""The guard: NaN is noticed, never steps and is never saved. The run is repaired, or ends."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models import losses, optimizers, presets, training
from models.checkpoints import checkpoint
from models.checkpoints.progress import Progress
from models.specs import AdamOptimizer, GuardRepair, TrainingSpec
from models.training import guard
from models.training.guard import Evidence, Verdict, detectors, policy, remedies
from models.training.guard.verdict import Memory, Prescription
from tests.models.runs import outcome, resumed

Make = Callable[..., TrainingSpec]
Run = Callable[..., list[training.Event]]
LONG: dict[str, Any] = {"budget": {"images": 1280, "seconds": None}, "checkpoint": {"every_images": 320}}


@pytest.fixture
def poison(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Callable[[int], bool]], None]:
    """Make a side's loss NaN in the calls, counted from 0, that a predicate names."""

    def apply(side: str, is_bad: Callable[[int], bool]) -> None:
        healthy = losses.REGISTRY["relativistic_paired"]
        calls = itertools.count()
        original = getattr(healthy, side)

        def poisoned(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
            loss: torch.Tensor = original(real, fake)
            return loss * float("nan") if is_bad(next(calls)) else loss

        change: dict[str, Any] = {side: poisoned}
        monkeypatch.setitem(losses.REGISTRY, "relativistic_paired", replace(healthy, **change))

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
    beyond=st.integers(1, 1000),
    repairs=st.integers(0, 4),
    factor=st.sampled_from([1.0, 0.5, 0.125]),
)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_repair_goes_back_and_is_counted(
    state: training.Snapshot, beyond: int, repairs: int, factor: float
) -> None:
    seen = state.progress.images_seen
    failed = Progress(
        images_seen=seen + beyond,
        guard={"roll_back": {"repairs": repairs, "failed_at": 0}} if repairs else {},
        salt=repairs,
        guard_factor=factor,
    )
    repair = guard.repair(GuardRepair(max_repairs=5), guard.Verdict("x", "y"), failed=failed, good=state)
    onward = repair.snapshot.progress
    assert repair.snapshot.spec == state.spec
    assert (onward.images_seen, onward.amended) == (seen, False)
    assert (onward.guard_factor, onward.salt) == (factor / 2, repairs + 1)
    assert onward.guard["roll_back"] == {"repairs": repairs + 1, "failed_at": failed.images_seen}
    assert guard.settled(onward) == onward
    past = guard.settled(onward.model_copy(update={"images_seen": failed.images_seen + 1}))
    assert past.guard["roll_back"]["repairs"] == 0


# Detectors and remedies of tomorrow: what they remember is saved, and they may change the spec


@pytest.fixture
def gentler(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[int], bool]], None]:
    """A detector that fires at the ticks that a predicate names, and a remedy that changes the spec once."""

    def apply(fires: Callable[[int], bool]) -> None:
        def check(evidence: Evidence, memory: Memory) -> tuple[str | None, Memory]:
            assert {"loss_d", "loss_g", "images_per_second"} <= evidence.values.keys()
            ticks = int(memory.get("ticks", 0)) + 1
            return ("it ticks" if fires(ticks) else None), {"ticks": ticks}

        monkeypatch.setitem(detectors.REGISTRY, "ticks", detectors.Detector("tick", check))
        monkeypatch.setitem(remedies.REGISTRY, "gentler", remedies.Remedy(_amend, lambda memory, _: memory))
        monkeypatch.setitem(policy.LADDERS, "repair", ("gentler", "roll_back"))

    return apply


def _amend(
    spec: Any, verdict: Verdict, failed: Progress, good: training.Snapshot, memory: Memory
) -> Prescription | str:
    del spec
    assert verdict.code == "ticks"
    if memory:
        return "it was tried before"
    changes = {"batch_size": 16, "generator_optimizer": {"lr": 1e-4}, "ema": {"half_life_images": 0}}
    amended = presets.amend(good.spec, changes)
    return Prescription(good, amended, {"salt": failed.salt + 1}, {"tried": 1}, {"batch_size": 16.0})


REPAIRED: dict[str, Any] = {
    "budget": {"images": 640, "seconds": None},
    "checkpoint": {"every_images": 160},
    "metrics": {"every_images": 64},
    "guard": {"kind": "repair", "max_repairs": 1},
}


def test_a_remedy_changes_the_spec_and_the_run_goes_on_under_it(
    tiny: Make, events: Run, gentler: Callable[..., None], tmp_path: Path
) -> None:
    gentler(lambda ticks: ticks == 6)
    run = events(tiny(**REPAIRED))
    (repaired,) = [event for event in run if isinstance(event, training.Repaired)]
    assert (repaired.detector, repaired.remedy) == ("ticks", "gentler")
    assert repaired.details == {"back_to_images": 160.0, "batch_size": 16.0}
    after = run[run.index(repaired) + 1 :]
    assert next(tick.images_seen for tick in after if isinstance(tick, training.Tick)) == 192
    assert {tick.values["lr_g"] for tick in after if isinstance(tick, training.Tick)} == {1e-4}
    due = [event for event in after if isinstance(event, training.CheckpointDue)][-1]
    checkpoint.write(tmp_path, due.snapshot)
    read = checkpoint.read(tmp_path)
    assert (read.manifest.spec.batch_size, read.snapshot.progress.amended) == (16, True)
    assert read.snapshot.averages == {}
    assert read.snapshot.progress.guard["gentler"] == {"tried": 1}


def test_the_remedies_are_tried_in_turn_and_say_why_they_do_not_help(
    tiny: Make, events: Run, gentler: Callable[..., None]
) -> None:
    gentler(lambda ticks: ticks >= 3)
    with pytest.raises(training.Diverged) as caught:
        events(tiny(**REPAIRED))
    assert caught.value.code == "ticks"
    assert str(caught.value) == "it ticks; it was tried before; 1 repairs did not get the run past it"


@pytest.mark.parametrize("attempts", [[3], [5], [7, 2], [2, 2, 2, 2], [12]], ids=str)
def test_a_run_under_a_changed_spec_is_the_same_when_stopped_and_resumed(
    tiny: Make, events: Run, gentler: Callable[..., None], tmp_path: Path, attempts: list[int]
) -> None:
    gentler(lambda ticks: ticks == 6)
    spec = tiny(**REPAIRED)
    whole = outcome(lambda: events(spec))
    assert outcome(lambda: resumed(events, spec, attempts=attempts, folder=tmp_path)) == whole
