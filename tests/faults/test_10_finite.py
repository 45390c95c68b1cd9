"""Promise 10: whatever becomes NaN in training, nothing that is saved is."""

import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models import data, presets, training
from models.checkpoints import checkpoint
from models.training import objective
from models.training.methods.alternating import Alternating
from models.training.state import TrainingState
from tests.faults.jobs import TINY

pytestmark = [
    pytest.mark.promise(10, "Nothing non-finite persists"),
    pytest.mark.faults(small=2, full=20, on=["SQLite"]),
]
STEPS = 40


def _at(step, spoil, genuine):
    """Return the genuine function, spoilt at one of its calls."""
    calls = iter(range(1, 10**9))

    def function(*arguments, **options):
        result = genuine(*arguments, **options)
        return spoil(result, *arguments) if next(calls) == step else result

    return function


def _d_loss(patch, step):
    def spoil(found, *_):
        return replace(found, loss=found.loss * torch.nan)

    patch.setattr(objective, "discriminator_loss", _at(step, spoil, objective.discriminator_loss))


def _g_gradient(patch, step):
    genuine = Alternating.generator_gradients

    def spoil(gradients, *_):
        return [gradient * torch.nan for gradient in gradients]

    patch.setattr(Alternating, "generator_gradients", _at(step, spoil, genuine))


def _average(patch, step):
    def spoil(result, state):
        next(state.averages["generator"].parameters()).fill_(torch.nan)
        return result

    patch.setattr(TrainingState, "end_step", _at(step, spoil, TrainingState.end_step))


@pytest.mark.parametrize("guard", ["repair", "off"])
@pytest.mark.parametrize("spot", [_d_loss, _g_gradient, _average], ids=["loss of D", "gradient of G", "average"])
def test_every_checkpoint_is_finite(count, ledger, tmp_path: Path, spot, guard, monkeypatch):
    chance = random.Random(10)
    spec = presets.resolve(
        TINY
        | {
            "budget": {"images": 32 * STEPS},
            "checkpoint": {"every_images": 160},
            "metrics": {"every_images": 320},
            "guard": {"kind": guard},
        }
    )
    digits = data.load(spec.dataset, folder=tmp_path)
    for number in range(count):
        ledger.fault("NaN injected")
        saved = 0
        with monkeypatch.context() as patch:
            spot(patch, chance.randrange(1, STEPS))
            try:
                for event in training.train(spec, dataset=digits, device=torch.device("cpu")):
                    if isinstance(event, training.CheckpointDue):
                        folder = tmp_path / f"{number}-{saved}"
                        folder.mkdir()
                        checkpoint.write(folder, event.snapshot)
                        ledger.expect(checkpoint.read(folder).snapshot.is_finite(), "a checkpoint is not finite")
                        saved += 1
                ledger.outcome("got over it")
            except training.Diverged:
                ledger.outcome("diverged")
        ledger.outcome("finite checkpoints", saved)
