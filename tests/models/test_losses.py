"""Every loss pulls its player the right way: the sign of each is read off its gradient."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from models import losses

LOGITS = st.lists(st.floats(-30, 30), min_size=4, max_size=4)
KINDS = sorted(losses.REGISTRY)


def leaf(values: list[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float32, requires_grad=True)


@pytest.mark.parametrize("kind", KINDS)
@given(real=LOGITS, fake=LOGITS)
def test_discriminator_lowers_its_loss_by_raising_real_and_lowering_fake_logits(
    kind: str, real: list[float], fake: list[float]
) -> None:
    real_logits, fake_logits = leaf(real), leaf(fake)
    losses.REGISTRY[kind].discriminator(real_logits, fake_logits).backward()
    assert real_logits.grad is not None
    assert fake_logits.grad is not None
    assert (real_logits.grad <= 0).all()
    assert (fake_logits.grad >= 0).all()


@pytest.mark.parametrize("kind", KINDS)
@given(real=LOGITS, fake=LOGITS)
def test_generator_lowers_its_loss_by_raising_fake_logits(kind: str, real: list[float], fake: list[float]) -> None:
    fake_logits = leaf(fake)
    losses.REGISTRY[kind].generator(torch.tensor(real), fake_logits).backward()
    assert fake_logits.grad is not None
    assert (fake_logits.grad <= 0).all()
    assert fake_logits.grad.abs().sum() > 0


def printed_discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """The survey's L_D, as it is printed: -E log D(x) + E log(1 - D(G(z)))."""
    return -real.sigmoid().log().mean() + (1 - fake.sigmoid()).log().mean()


def printed_generator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """The survey's L_G, as it is printed: -E log D(x) - E log(1 - D(G(z)))."""
    return -real.sigmoid().log().mean() - (1 - fake.sigmoid()).log().mean()


def test_printed_discriminator_loss_rewards_being_fooled_and_ours_does_not() -> None:
    printed, ours = leaf([0.3]), leaf([0.3])
    printed_discriminator_loss(leaf([0.5]), printed).backward()
    losses.binary_d(leaf([0.5]), ours).backward()
    assert printed.grad is not None
    assert ours.grad is not None
    assert printed.grad.item() < 0 < ours.grad.item()


def test_printed_generator_loss_is_the_discriminators_and_rewards_being_caught() -> None:
    real, fake = leaf([0.5]), leaf([0.3])
    printed = printed_generator_loss(real, fake)
    torch.testing.assert_close(printed, losses.binary_d(real, fake))
    (gradient,) = torch.autograd.grad(printed, fake)
    (minimax,) = torch.autograd.grad(losses.minimax_g(real, fake), fake)
    (non_saturating,) = torch.autograd.grad(losses.non_saturating_g(real, fake), fake)
    assert gradient.item() > 0 > minimax.item()
    assert non_saturating.item() < 0


def test_losses_equal_their_formulas() -> None:
    real, fake = torch.tensor([1.0, -2.0]), torch.tensor([0.5, 3.0])
    d_real, d_fake = real.sigmoid(), fake.sigmoid()
    torch.testing.assert_close(losses.binary_d(real, fake), -d_real.log().mean() - (1 - d_fake).log().mean())
    torch.testing.assert_close(losses.minimax_g(real, fake), (1 - d_fake).log().mean())
    torch.testing.assert_close(losses.non_saturating_g(real, fake), -d_fake.log().mean())
    torch.testing.assert_close(losses.relativistic_paired_d(real, fake), -(real - fake).sigmoid().log().mean())
    torch.testing.assert_close(losses.relativistic_paired_g(real, fake), -(fake - real).sigmoid().log().mean())


def test_saturating_gradient_vanishes_where_the_discriminator_is_sure_and_the_other_does_not() -> None:
    minimax, non_saturating = leaf([-12.0]), leaf([-12.0])
    losses.minimax_g(minimax, minimax).backward()
    losses.non_saturating_g(non_saturating, non_saturating).backward()
    assert minimax.grad is not None
    assert non_saturating.grad is not None
    assert abs(minimax.grad.item()) < 1e-4
    assert abs(non_saturating.grad.item()) > 0.99


def test_losses_of_extreme_logits_are_finite() -> None:
    far = torch.tensor([1e4, -1e4])
    for kind in KINDS:
        for side in (losses.REGISTRY[kind].discriminator, losses.REGISTRY[kind].generator):
            assert math.isfinite(side(far, -far).item())


@given(real=LOGITS, fake=LOGITS, shift=st.floats(-20, 20))
def test_relativistic_loss_sees_differences_only(real: list[float], fake: list[float], shift: float) -> None:
    real_logits, fake_logits = torch.tensor(real), torch.tensor(fake)
    moved = losses.relativistic_paired_d(real_logits + shift, fake_logits + shift)
    torch.testing.assert_close(moved, losses.relativistic_paired_d(real_logits, fake_logits), rtol=1e-4, atol=1e-4)


def test_accuracy_is_the_share_of_right_judgements() -> None:
    real, fake = torch.tensor([1.0, 2.0, -1.0, 3.0]), torch.tensor([-1.0, 2.5, -3.0, 2.0])
    assert losses.absolute_accuracy(real, fake).item() == (0.75 + 0.5) / 2
    assert losses.paired_accuracy(real, fake).item() == 0.75
