"""Promise 10: whatever becomes NaN in training, nothing that is saved is."""

import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models import data, presets, training
from models.checkpoints import checkpoint
from models.training import objective
from models.training.methods import rounds
from models.training.state import Game
from tests.faults.jobs import TINY

pytestmark = [
    pytest.mark.promise(10, "Nothing non-finite persists"),
    pytest.mark.faults(small=2, full=20, on=["SQLite"]),
]
STEPS = 40


def _at(step, spoil, genuine):
    """The genuine function, spoilt at one of its calls."""
    calls = iter(range(1, 10**9))

    def function(*arguments, **options):
        result = genuine(*arguments, **options)
        return spoil(result, *arguments) if next(calls) == step else result

    return function


def _d_loss(patch, step):
    def spoil(verdict, *_):
        return replace(verdict, loss=verdict.loss * torch.nan)

    patch.setattr(objective, "look", _at(step, spoil, objective.look))


def _g_gradient(patch, step):
    genuine = rounds.step_generator
    calls = iter(range(1, 10**9))

    def spoilt(game, gradients):
        genuine(game, [gradient * torch.nan for gradient in gradients] if next(calls) == step else gradients)

    patch.setattr(rounds, "step_generator", spoilt)


def _average(patch, step):
    def spoil(result, game):
        next(game.average.parameters()).fill_(torch.nan)
        return result

    patch.setattr(Game, "update_average", _at(step, spoil, Game.update_average))


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
