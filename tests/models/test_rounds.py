"""Rounds: what the players learn from a deal."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from models import data, training
from models.augment import adaptive
from models.specs import TrainingSpec
from models.training.inputs import Dealer
from models.training.methods import rounds
from models.training.objective import Rules
from models.training.state import Game
from tests.models.runs import SMOOTH

CPU = torch.device("cpu")
PLAIN = {"generator_norm": "none", "latent_dim": 8, "generator_widths": [16], "discriminator_widths": [16]}
EXTRA_ADAM = {"kind": "extra_adam", "lr": 1e-3}


@pytest.fixture
def play(digits: data.ImageData) -> Callable[[TrainingSpec, int], list[Game]]:
    """The game after each of so many rounds; the very same object, so look before you go on."""

    def run(spec: TrainingSpec, number: int) -> Any:
        game, rules, dealer = (
            Game(spec, device=CPU),
            Rules.of(spec, device=CPU),
            Dealer(spec, digits, device=CPU),
        )
        for turn in range(number):
            rounds.method(spec)(game, rules, dealer.round(turn * spec.batch_size, salt=0))
            yield game

    return run


def test_lazy_penalty_weighs_as_much_over_time_as_an_eager_one(
    tiny: Callable[..., TrainingSpec], play: Callable[..., Any]
) -> None:
    """Of `every_steps` steps one is penalised, as many times over."""

    def gradients(penalties: list[dict[str, Any]]) -> torch.Tensor:
        """The discriminator's first-layer gradients of four rounds from, but for 1e-12, the same weights."""
        still = {"lr": 1e-12}
        spec = tiny(
            precision="fp32",
            loss={"kind": "non_saturating"},
            penalties=penalties,
            generator_optimizer=still,
            discriminator_optimizer=still,
            budget={"images": 128, "seconds": None},
        )
        return torch.stack([game.discriminator_parameters[0].grad.clone() for game in play(spec, 4)])

    none = gradients([])
    eager = gradients([{"kind": "r1", "weight": 5.0, "every_steps": 1}]) - none
    lazy = gradients([{"kind": "r1", "weight": 5.0, "every_steps": 4}]) - none
    assert eager.abs().max() > 1e-3
    torch.testing.assert_close(lazy[0], 4 * eager[0], rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(lazy[1:], torch.zeros_like(lazy[1:]), rtol=0, atol=1e-6)


def test_lazy_penalty_is_reported_in_the_ticks_that_it_was_due_in(
    tiny: Callable[..., TrainingSpec], events: Callable[..., list[training.Event]]
) -> None:
    spec = tiny(budget={"images": 320, "seconds": None}, penalties=[{"kind": "r2", "every_steps": 8}])
    ticks = [event for event in events(spec) if isinstance(event, training.Tick)]
    with_penalty = [tick.images_seen for tick in ticks if "r2" in tick.values]
    assert with_penalty == [32, 320]  # the first step and the ninth


@pytest.mark.parametrize("loss", ["non_saturating", "hinge", "relativistic_paired"])
def test_a_batch_in_parts_teaches_what_the_whole_teaches(
    tiny: Callable[..., TrainingSpec], play: Callable[..., Any], loss: str
) -> None:
    def gradients(parts: int) -> list[torch.Tensor]:
        how = {
            "loss": {"kind": loss},
            "accumulation_steps": parts,
            "generator_optimizer": SMOOTH,
            "discriminator_optimizer": SMOOTH,
        }
        spec = tiny(precision="fp32", architecture=PLAIN, penalties=[], **how)
        (game,) = play(spec, 1)
        return [parameter.grad for parameter in game.parameters()]

    for whole, parts in zip(gradients(1), gradients(4), strict=True):
        torch.testing.assert_close(parts, whole, rtol=1e-4, atol=1e-6)


def test_looking_ahead_clips_both_of_its_steps(tiny: Callable[..., TrainingSpec], play: Callable[..., Any]) -> None:
    """Adam's direction does not change with a gradient's length but for epsilon, which here is as long as gradients."""

    def moved(max_norm: float | None) -> torch.Tensor:
        side = EXTRA_ADAM | {"max_gradient_norm": max_norm, "eps": 1.0}
        spec = tiny(precision="fp32", generator_optimizer=side, discriminator_optimizer=side, penalties=[])
        start = torch.cat([parameter.detach().flatten() for parameter in Game(spec, device=CPU).parameters()])
        (game,) = play(spec, 1)
        return torch.cat([parameter.detach().flatten() for parameter in game.parameters()]) - start

    assert moved(1e-4).norm() < 0.01 * moved(None).norm()


def test_the_last_step_of_a_falling_schedule_still_moves(
    tiny: Callable[..., TrainingSpec], events: Callable[..., list[training.Event]]
) -> None:
    falling = {"lr": 1e-3, "schedule": {"kind": "linear", "start": 0.0, "final": 0.0}}
    spec = tiny(budget={"images": 128, "seconds": None}, generator_optimizer=falling)
    rates = [event.values["lr_g"] for event in events(spec) if isinstance(event, training.Tick)]
    assert rates == pytest.approx([1e-3, 0.75e-3, 0.25e-3])  # after the first, the second and the fourth step


@pytest.mark.parametrize("parts", [1, 4])
def test_an_adaptive_augmentation_learns_once_a_step_from_the_whole_batch(
    tiny: Callable[..., TrainingSpec], play: Callable[..., Any], parts: int
) -> None:
    spec = tiny(augment={"kind": "adaptive"}, accumulation_steps=parts)
    (game,) = play(spec, 1)
    assert game.memory[adaptive.STEPS].item() == 1
    assert game.memory[adaptive.IMAGES].item() == spec.batch_size
