"""The zero-centred penalties, against cases worked out by hand."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from models import architectures, penalties, rounds, training
from models.game import Game
from models.spec import R1Penalty, R2Penalty, TrainingSpec

CPU = torch.device("cpu")


def quadratic(images_NCHW: torch.Tensor) -> torch.Tensor:
    """D(x) = |x|^2 / 2, whose gradient is x."""
    return images_NCHW.square().flatten(1).sum(1) / 2


def judgement(real: torch.Tensor, fake: torch.Tensor) -> penalties.Judgement:
    real, fake = real.requires_grad_(), fake.requires_grad_()
    return penalties.Judgement(real, fake, quadratic(real), quadratic(fake))


def test_r1_and_r2_are_half_gamma_times_the_mean_squared_gradient_norm() -> None:
    real = torch.tensor([[[[3.0, 4.0]]], [[[0.0, 1.0]]]])  # squared norms 25 and 1
    fake = torch.tensor([[[[2.0, 0.0]]], [[[0.0, 0.0]]]])  # squared norms 4 and 0
    case = judgement(real, fake)
    assert penalties.r1(R1Penalty(weight=0.5), case).item() == pytest.approx(0.25 * 13)
    assert penalties.r2(R2Penalty(weight=3.0), case).item() == pytest.approx(1.5 * 2)


def test_penalty_teaches_the_discriminator_to_be_flat() -> None:
    linear = nn.Linear(4, 1)
    images = torch.randn(8, 1, 2, 2, requires_grad=True)
    logits = linear(images.flatten(1)).squeeze(1)
    penalty = penalties.r1(R1Penalty(weight=1.0), penalties.Judgement(images, images, logits, logits * 0))
    (gradient,) = torch.autograd.grad(penalty, linear.weight)
    torch.testing.assert_close(penalty, linear.weight.square().sum() / 2)
    torch.testing.assert_close(gradient, linear.weight.detach())


def test_lazy_penalty_weighs_as_much_over_time_as_an_eager_one(tiny: Callable[..., TrainingSpec]) -> None:
    """Of `every_steps` steps one is penalised, as many times over: the mean gradient over a cycle is the eager one."""

    def gradients(every_steps: int) -> list[torch.Tensor]:
        """The discriminator's first-layer gradients of four steps from the same weights."""
        spec = tiny(
            precision="fp32",
            loss={"kind": "non_saturating"},
            penalties=[{"kind": "r1", "weight": 5.0, "every_steps": every_steps}],
            discriminator_optimizer={"lr": 1e-12},
        )
        game, rules = Game(spec, device=CPU), rounds.Rules.of(spec, device=CPU)
        real, fake = torch.linspace(-1, 1, 32 * 64).view(32, 1, 8, 8), torch.zeros(32, 1, 8, 8)
        found = []
        for number in range(4):
            rounds.discriminator_step(game, rules, real.clone(), fake, number=number)
            weight = game.discriminator_parameters[0]
            assert weight.grad is not None
            found.append(weight.grad.clone())
        return found

    eager, lazy = gradients(1), gradients(4)
    assert not torch.allclose(lazy[0], eager[0])
    torch.testing.assert_close(torch.stack(lazy).mean(0), torch.stack(eager).mean(0), rtol=1e-4, atol=1e-6)


def test_lazy_penalty_is_reported_in_the_ticks_that_it_was_due_in(
    tiny: Callable[..., TrainingSpec], events: Callable[..., list[training.Event]]
) -> None:
    spec = tiny(budget={"images": 320, "seconds": None}, penalties=[{"kind": "r2", "every_steps": 8}])
    ticks = [event for event in events(spec) if isinstance(event, training.Tick)]
    with_penalty = [tick.images_seen for tick in ticks if "r2" in tick.values]
    assert with_penalty == [32, 320]  # the first step and the ninth


def test_judging_both_batches_at_once_is_judging_each(tiny: Callable[..., TrainingSpec]) -> None:
    discriminator = architectures.build(tiny()).discriminator
    real, fake = torch.randn(2, 16, 1, 8, 8)
    together = discriminator(torch.cat([real, fake]))
    torch.testing.assert_close(together, torch.cat([discriminator(real), discriminator(fake)]))
