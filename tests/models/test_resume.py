"""A run that was stopped and resumed equals an uninterrupted one to the bit."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from models import training
from models.checkpoints import checkpoint
from models.specs import TrainingSpec
from tests.models.runs import Run, after, comparable, content, resumed

Make = Callable[..., TrainingSpec]

# 1,497 images in batches of 32: the first epoch ends within the 47th step, at 1,497 of 1,504 images seen.
LONG: dict[str, Any] = {
    "budget": {"images": 2400, "seconds": None},
    "metrics": {"every_images": 640},
    "checkpoint": {"every_images": 600},
    "penalties": [{"kind": "r1", "every_steps": 3}, {"kind": "r2", "every_steps": 5}],
}
EXPLOSIVE: dict[str, Any] = {
    "architecture": {"kind": "mlp", "latent_dim": 4, "generator_widths": [8], "discriminator_widths": [8]},
    "loss": {"kind": "least_squares"},
    "penalties": [{"kind": "r1", "weight": 1000.0}, {"kind": "r2", "weight": 1000.0}],
    "generator_optimizer": {"kind": "sgd", "lr": 1.0, "momentum": 0.9},
    "discriminator_optimizer": {"kind": "sgd", "lr": 1.0, "momentum": 0.9},
    "precision": "fp32",
    "batch_size": 8,
    "budget": {"images": 400, "seconds": None},
    "metrics": {"every_images": 1000},
    "checkpoint": {"every_images": 40},
    "guard": {"kind": "repair", "max_repairs": 50},
    "seed": 6,
}
CASES: dict[str, dict[str, Any]] = {
    "robust": {},
    "several discriminator steps": {"discriminator_steps": 2, "budget": {"images": 4800, "seconds": None}},
    "dcgan, flipped": {
        "architecture": {"kind": "dcgan", "latent_dim": 8, "channels": 4, "discriminator_norm": "batch"},
        "augment": {"kind": "flip"},
    },
    "no average, plain precision": {"ema": {"half_life_images": 0}, "precision": "fp32", "penalties": []},
}


@pytest.fixture(scope="module")
def whole(tiny: Make, events: Run) -> Callable[[str], list[training.Event]]:
    """Return a function that gives the events of a case's uninterrupted run."""
    return functools.cache(lambda case: events(tiny(**(LONG | CASES[case]))))


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("attempts", [(1,), (2, 4), (13, 20, 1, 24)], ids=str)
def test_a_resumed_run_yields_what_the_uninterrupted_one_does(
    tiny: Make,
    events: Run,
    whole: Callable[[str], list[training.Event]],
    tmp_path: Path,
    case: str,
    attempts: tuple[int, ...],
) -> None:
    pieces = resumed(events, tiny(**(LONG | CASES[case])), attempts=attempts, folder=tmp_path)
    assert comparable(pieces) == comparable(whole(case))


@pytest.mark.parametrize("attempts", [(1,), (12,), (9, 2, 1), (12, 1, 1, 1, 1, 30)], ids=str)
def test_a_stop_does_not_change_what_the_guard_goes_back_to(
    tiny: Make, events: Run, tmp_path: Path, attempts: tuple[int, ...]
) -> None:
    """The run explodes soon after whatever state it is taken back to, until its learning rates have been cut enough."""
    whole = events(tiny(**EXPLOSIVE))
    repairs = [event for event in whole if isinstance(event, training.Repaired)]
    assert len({event.details["back_to_images"] for event in repairs}) > 1
    pieces = resumed(events, tiny(**EXPLOSIVE), attempts=attempts, folder=tmp_path)
    assert comparable(pieces) == comparable(whole)


def test_a_run_that_has_failed_unnoticed_is_stopped_without_a_checkpoint(tiny: Make, events: Run) -> None:
    """An extra check at the stop would make the run differ from the one that is not stopped."""
    spec = tiny(**EXPLOSIVE | {"checkpoint": {"every_images": 10**6}, "guard": {"kind": "off"}, "seed": 1})
    with pytest.raises(training.Diverged) as noticed:
        events(spec)
    steps = noticed.value.images_seen // spec.batch_size
    runs = [events(spec, stop=after(step)) for step in range(1, steps)]
    found = [isinstance(run[-2], training.CheckpointDue) for run in runs]
    assert found == sorted(found, reverse=True)
    assert found[0]
    assert not found[-1]


def test_two_runs_of_a_spec_are_equal_and_another_seed_is_not(tiny: Make, events: Run) -> None:
    first, again, other = (comparable(events(tiny(seed=seed))) for seed in (3, 3, 4))
    assert first == again
    assert first != other


def test_restored_tensors_are_copies(tiny: Make, events: Run, state: training.Snapshot, tmp_path: Path) -> None:
    checkpoint.write(tmp_path, state)
    resume = checkpoint.read(tmp_path)
    before = content(resume.snapshot)
    events(tiny(budget={"images": 320, "seconds": None}), resume=resume)
    assert content(resume.snapshot) == before
    assert not torch.equal(next(iter(resume.snapshot.networks["discriminator"].values())), torch.zeros(()))
