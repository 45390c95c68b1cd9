"""A run that was stopped and resumed is the run that was not, to the bit."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from models import checkpoint, training
from models.spec import TrainingSpec
from tests.models.runs import Run, comparable, content, resumed

Make = Callable[..., TrainingSpec]

# 1,797 images in batches of 32: the first epoch ends within the 57th step, at 1,797 of 1,824 images seen.
LONG: dict[str, Any] = {
    "budget": {"images": 2400, "seconds": None},
    "metrics": {"every_images": 640},
    "checkpoint": {"every_images": 600},
    "penalties": [{"kind": "r1", "every_steps": 3}, {"kind": "r2", "every_steps": 5}],
}
CASES = {
    "robust": {},
    "several discriminator steps": {"discriminator_steps": 2, "budget": {"images": 4800, "seconds": None}},
    "dcgan, flipped": {
        "architecture": {"kind": "dcgan", "latent_dim": 8, "channels": 4, "discriminator_norm": "batch"},
        "augment": {"kind": "flip"},
    },
    "no average, plain precision": {"ema": {"half_life_images": 0}, "precision": "fp32", "penalties": []},
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("attempts", [(1,), (2, 4), (13, 20, 1, 24)], ids=str)
def test_a_resumed_run_yields_what_the_uninterrupted_one_does(
    tiny: Make, events: Run, tmp_path: Path, case: str, attempts: tuple[int, ...]
) -> None:
    spec = tiny(**(LONG | CASES[case]))
    whole = events(spec)
    assert comparable(resumed(events, spec, attempts=attempts, folder=tmp_path)) == comparable(whole)


def test_two_runs_of_a_spec_are_equal_and_another_seed_is_not(tiny: Make, events: Run) -> None:
    first, again, other = (comparable(events(tiny(seed=seed))) for seed in (3, 3, 4))
    assert first == again
    assert first != other


def test_restored_tensors_are_copies(tiny: Make, events: Run, state: training.State, tmp_path: Path) -> None:
    checkpoint.write(tmp_path, state)
    resume = checkpoint.read(tmp_path)
    before = content(resume.state)
    events(tiny(budget={"images": 320, "seconds": None}), resume=resume)
    assert content(resume.state) == before
    assert not torch.equal(next(iter(resume.state.discriminator.values())), torch.zeros(()))
