"""The stream of events: which come, at which place and in which order."""

import functools
import math
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest
import torch

from models import data, training
from models.checkpoints import checkpoint
from models.specs import TrainingSpec
from tests.models.runs import SMOOTH

Make = Callable[..., TrainingSpec]
Keep = Callable[[training.Snapshot], checkpoint.Checkpoint]
Run = Callable[..., list[training.Event]]
E = TypeVar("E", bound=training.Event)
NAMES = {
    "loss_g", "loss_d", "logit_real", "logit_fake", "d_accuracy", "grad_norm_g", "grad_norm_d", "diversity",
    "images_per_second", "lr_g", "lr_d",
}  # fmt: skip


def of(kind: type[E], run: list[training.Event]) -> list[E]:
    return [event for event in run if isinstance(event, kind)]


def test_ticks_come_after_1_2_4_steps_and_then_at_the_interval_and_at_the_end(tiny: Make, events: Run) -> None:
    run = events(tiny(metrics={"every_images": 256}, budget={"images": 800, "seconds": None}))
    assert [tick.images_seen for tick in of(training.Tick, run)] == [32, 64, 128, 256, 512, 768, 800]


def test_a_tick_carries_every_metric_and_one_a_penalty(tiny: Make, events: Run) -> None:
    first = of(training.Tick, events(tiny(penalties=[{"kind": "r1"}, {"kind": "r2"}])))[0]
    assert set(first.values) == NAMES | {"r1", "r2"}
    assert all(math.isfinite(value) for value in first.values.values())
    assert first.values["lr_g"] == 1e-3


def test_a_tick_is_the_mean_over_the_steps_since_the_one_before(tiny: Make, events: Run) -> None:
    budget = {"images": 512, "seconds": None}
    fine = of(training.Tick, events(tiny(metrics={"every_images": 32}, budget=budget)))
    coarse = of(training.Tick, events(tiny(metrics={"every_images": 256}, budget=budget)))[-1]
    steps = [tick.values["loss_d"] for tick in fine if 256 < tick.images_seen <= 512]
    assert coarse.values["loss_d"] == pytest.approx(sum(steps) / len(steps), rel=1e-5)


def test_checkpoints_come_at_every_crossed_multiple_and_at_the_end(tiny: Make, events: Run) -> None:
    run = events(tiny(checkpoint={"every_images": 100}, budget={"images": 300, "seconds": None}))
    assert [due.images_seen for due in of(training.CheckpointDue, run)] == [128, 224, 320]
    assert run[-1] == training.Finished(320, "budget_images")


def test_images_are_counted_once_a_discriminator_step(tiny: Make, events: Run) -> None:
    run = events(tiny(discriminator_steps=3, budget={"images": 192, "seconds": None}))
    assert [tick.images_seen for tick in of(training.Tick, run)] == [96, 192]


def test_seconds_end_a_run_and_carry_over(tiny: Make, events: Run) -> None:
    run = events(tiny(budget={"images": None, "seconds": 0.05}))
    assert run[-1].images_seen > 0
    assert isinstance(run[-1], training.Finished)
    assert run[-1].reason == "budget_seconds"
    (*_, due) = of(training.CheckpointDue, run)
    assert due.snapshot.progress.training_seconds >= 0.05


def test_stop_saves_a_checkpoint_at_the_next_step_and_no_tick(tiny: Make, events: Run) -> None:
    asked = iter(range(100))
    run = events(tiny(budget={"images": 10**6, "seconds": None}), stop=lambda: next(asked) == 2)
    assert [type(event) for event in run[-2:]] == [training.CheckpointDue, training.Finished]
    assert run[-1] == training.Finished(96, "stopped")
    assert 96 not in [tick.images_seen for tick in of(training.Tick, run)]


def test_a_finished_run_resumed_finishes_at_once(tiny: Make, events: Run, kept: Keep) -> None:
    spec = tiny()
    (due,) = of(training.CheckpointDue, events(spec))
    assert events(spec, resume=kept(due.snapshot)) == [training.Finished(64, "budget_images")]


def test_a_checkpoint_of_other_networks_is_refused(
    tiny: Make, events: Run, state: training.Snapshot, kept: Keep
) -> None:
    other = tiny(architecture={"latent_dim": 9})
    with pytest.raises(ValueError, match="does not fit"):
        events(other, resume=kept(state))


def test_state_handed_out_is_left_alone_by_later_steps(tiny: Make, digits: data.ImageData) -> None:
    spec = tiny(checkpoint={"every_images": 64}, budget={"images": 512, "seconds": None})
    stream: Iterator[training.Event] = training.train(spec, dataset=digits, device=torch.device("cpu"))
    due = next(event for event in stream if isinstance(event, training.CheckpointDue))
    before = {name: tensor.clone() for name, tensor in due.snapshot.networks["discriminator"].items()}
    list(stream)
    assert all(torch.equal(before[name], tensor) for name, tensor in due.snapshot.networks["discriminator"].items())


def test_training_leaves_the_processes_own_chance_alone(tiny: Make, events: Run) -> None:
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    events(tiny())
    assert torch.equal(torch.rand(3), expected)


def test_evaluation_comes_before_the_checkpoint_of_the_same_place(tiny: Make, noise_garments: data.ImageData) -> None:
    spec = tiny(
        dataset={"kind": "builtin", "name": "fashion-mnist"},
        evaluation={"every_images": 64, "samples": 1000},
        checkpoint={"every_images": 64},
        budget={"images": 100, "seconds": None},
    )
    run = list(training.train(spec, dataset=noise_garments, device=torch.device("cpu")))
    kinds = [(type(event).__name__, event.images_seen) for event in run]
    assert kinds == [
        ("Begun", 0), ("Tick", 32), ("Tick", 64), ("Evaluated", 64), ("CheckpointDue", 64),
        ("Tick", 128), ("Evaluated", 128), ("CheckpointDue", 128), ("Finished", 128),
    ]  # fmt: skip
    (first, _) = of(training.Evaluated, run)
    assert set(first.values) == {"fid", "precision", "recall"}


def test_compiled_networks_learn_what_plain_ones_do_and_say_what_compiling_took(
    tiny: Make, events: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trace and differentiate as torch.compile does, without its C++ compiler. The slow tests use the compiler too."""
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="aot_eager"))
    _compare_compiled(tiny, events)


@pytest.mark.slow
def test_networks_compiled_to_machine_code_learn_what_plain_ones_do(tiny: Make, events: Run) -> None:
    _compare_compiled(tiny, events)


def _compare_compiled(tiny: Make, events: Run) -> None:
    # In two parts, of which the networks are compiled; steps compiled whole have tests of their own.
    how = {
        "precision": "fp32",
        "budget": {"images": 128, "seconds": None},
        "accumulation_steps": 2,
        "generator_optimizer": SMOOTH,
        "discriminator_optimizer": SMOOTH,
    }
    plain, compiled = (events(tiny(compile=wished, **how)) for wished in (False, True))
    (told,) = of(training.Compiled, compiled)
    assert compiled[1] == told, "only the start comes before it"
    assert told.images_seen == 32
    assert of(training.CheckpointDue, compiled)[-1].snapshot.progress.training_seconds > told.seconds > 0
    for one, other in zip(of(training.Tick, plain), of(training.Tick, compiled), strict=True):
        assert one.values["loss_d"] == pytest.approx(other.values["loss_d"], rel=1e-4)
        assert one.values["grad_norm_g"] == pytest.approx(other.values["grad_norm_g"], rel=1e-3)
