"""Every loss is its printed formula, has the right gradient and stays finite."""

from collections.abc import Callable
from typing import get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from models import losses, specs
from models.specs.losses import Hinge

Formula = Callable[[Tensor, Tensor], Tensor]

NO_DEADLINE = settings(deadline=None)
"""A first call into torch can take longer than hypothesis allows a test, more so on shared cores."""
LOGITS = st.lists(st.floats(-30, 30), min_size=4, max_size=4)
WHOLE = st.lists(st.integers(-5, 5), min_size=4, max_size=4)
MILD = st.lists(st.floats(-8, 8), min_size=4, max_size=4)
"""Logits so small that a sigmoid's logarithm, taken in two steps, is exact enough in float64."""
KINDS = sorted(losses.REGISTRY)
TARGETS = {"least_squares"}
"""Kinds that draw logits to a target instead of pushing them ever further."""
RELATIVISTIC = ["relativistic_average", "relativistic_paired"]


def leaf(values: list[float], dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.tensor(values, dtype=dtype, requires_grad=True)


def log_sigmoid(logits: Tensor) -> Tensor:
    """Return the logarithm of the sigmoid, as printed."""
    return (1 / (1 + (-logits).exp())).log()


def log_one_minus_sigmoid(logits: Tensor) -> Tensor:
    return (1 - 1 / (1 + (-logits).exp())).log()


PRINTED: dict[str, tuple[Formula, Formula]] = {
    "minimax": (
        lambda real, fake: -log_sigmoid(real).mean() - log_one_minus_sigmoid(fake).mean(),
        lambda _, fake: log_one_minus_sigmoid(fake).mean(),
    ),
    "non_saturating": (
        lambda real, fake: -log_sigmoid(real).mean() - log_one_minus_sigmoid(fake).mean(),
        lambda _, fake: -log_sigmoid(fake).mean(),
    ),
    "least_squares": (
        lambda real, fake: 0.5 * ((real - 1) ** 2).mean() + 0.5 * (fake**2).mean(),
        lambda _, fake: 0.5 * ((fake - 1) ** 2).mean(),
    ),
    "wasserstein": (
        lambda real, fake: fake.mean() - real.mean(),
        lambda _, fake: -fake.mean(),
    ),
    "hinge": (
        lambda real, fake: (
            -torch.minimum(torch.zeros_like(real), real - 1).mean()
            - torch.minimum(torch.zeros_like(fake), -1 - fake).mean()
        ),
        lambda _, fake: -fake.mean(),
    ),
    "relativistic_paired": (
        lambda real, fake: -log_sigmoid(real - fake).mean(),
        lambda real, fake: -log_sigmoid(fake - real).mean(),
    ),
    "relativistic_average": (
        lambda real, fake: -log_sigmoid(real - fake.mean()).mean() - log_one_minus_sigmoid(fake - real.mean()).mean(),
        lambda real, fake: -log_sigmoid(fake - real.mean()).mean() - log_one_minus_sigmoid(real - fake.mean()).mean(),
    ),
}
"""The formulas of the papers, the discriminator's and the generator's, both to be minimised."""


def test_a_loss_is_given_the_settings_of_its_spec(monkeypatch: pytest.MonkeyPatch) -> None:
    class Margin(Hinge):
        margin: float = 1.0

    def margin_d(real: Tensor, fake: Tensor, *, margin: float) -> Tensor:
        return (margin - real).relu().mean() + (margin + fake).relu().mean()

    def mean(real: Tensor, fake: Tensor, *, margin: float) -> Tensor:
        return (real - fake).mean() - margin

    entry = losses.Functions(margin_d, mean, mean, generator_compares=True)
    monkeypatch.setitem(losses.REGISTRY, "hinge", entry)
    functions = losses.build(Margin(margin=3.0))
    real, fake = torch.tensor([2.0]), torch.tensor([-1.0])
    assert functions.discriminator(real, fake).item() == 1.0 + 2.0
    assert functions.generator(real, fake).item() == functions.accuracy(real, fake).item() == 0.0


def test_registry_knows_every_loss_of_the_spec_that_is_a_game() -> None:
    kinds = {member.model_fields["kind"].default for member in get_args(get_args(specs.Loss)[0])}
    assert set(losses.REGISTRY) == kinds - {"elbo"} == set(PRINTED)


@pytest.mark.parametrize("kind", KINDS)
@NO_DEADLINE
@given(real=MILD, fake=MILD)
def test_loss_and_its_gradient_are_those_of_the_printed_formula(
    kind: str, real: list[float], fake: list[float]
) -> None:
    functions = losses.REGISTRY[kind]
    for ours, printed in zip((functions.discriminator, functions.generator), PRINTED[kind], strict=True):
        found: list[Tensor] = []
        expected: list[Tensor] = []
        for formula, results in ((ours, found), (printed, expected)):
            real_logits, fake_logits = leaf(real, torch.float64), leaf(fake, torch.float64)
            value = formula(real_logits, fake_logits)
            gradients = torch.autograd.grad(value, (real_logits, fake_logits), allow_unused=True)
            zero = torch.zeros(4, dtype=torch.float64)
            results += [value, *(zero if gradient is None else gradient for gradient in gradients)]
        if kind == "hinge" and any(abs(abs(logit) - 1) < 1e-9 for logit in real + fake):
            continue  # The margin has no gradient.
        torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize(
    ("kind", "discriminator", "generator"),
    [
        ("minimax", 1.386294, -0.693147),
        ("non_saturating", 1.386294, 0.693147),
        ("least_squares", 0.5, 0.5),
        ("wasserstein", 0.0, 0.0),
        ("hinge", 2.0, 0.0),
        ("relativistic_paired", 0.693147, 0.693147),
        ("relativistic_average", 1.386294, 1.386294),
    ],
)
def test_losses_of_a_discriminator_that_knows_nothing(kind: str, discriminator: float, generator: float) -> None:
    """At logits of zero, each logarithm of one half contributes log 2."""
    logits, functions = torch.zeros(3), losses.REGISTRY[kind]
    assert functions.discriminator(logits, logits).item() == pytest.approx(discriminator, abs=1e-6)
    assert functions.generator(logits, logits).item() == pytest.approx(generator, abs=1e-6)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - TARGETS))
@NO_DEADLINE
@given(real=LOGITS, fake=LOGITS)
def test_discriminator_lowers_its_loss_by_raising_real_and_lowering_fake_logits(
    kind: str, real: list[float], fake: list[float]
) -> None:
    real_logits, fake_logits = leaf(real), leaf(fake)
    loss = losses.REGISTRY[kind].discriminator(real_logits, fake_logits)
    real_gradient, fake_gradient = torch.autograd.grad(loss, (real_logits, fake_logits))
    assert (real_gradient <= 0).all()
    assert (fake_gradient >= 0).all()


@pytest.mark.parametrize("kind", sorted(set(KINDS) - TARGETS))
@NO_DEADLINE
@given(real=LOGITS, fake=LOGITS)
def test_generator_lowers_its_loss_by_raising_fake_logits(kind: str, real: list[float], fake: list[float]) -> None:
    fake_logits = leaf(fake)
    (gradient,) = torch.autograd.grad(losses.REGISTRY[kind].generator(torch.tensor(real), fake_logits), fake_logits)
    assert (gradient <= 0).all()
    assert gradient.abs().sum() > 0


@NO_DEADLINE
@given(real=LOGITS, fake=LOGITS)
def test_least_squares_draws_logits_to_their_targets(real: list[float], fake: list[float]) -> None:
    real_logits, fake_logits = leaf(real), leaf(fake)
    of_real, of_fake = torch.autograd.grad(losses.least_squares_d(real_logits, fake_logits), (real_logits, fake_logits))
    (of_drawn,) = torch.autograd.grad(losses.least_squares_g(real_logits, fake_logits), fake_logits)
    for gradient, logits, target in ((of_real, real_logits, 1), (of_fake, fake_logits, 0), (of_drawn, fake_logits, 1)):
        torch.testing.assert_close(logits - 4 * gradient, torch.full((4,), float(target)), rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@NO_DEADLINE
@given(real=LOGITS, fake=LOGITS, other=LOGITS)
def test_generator_compares_only_where_it_says_so(
    kind: str, real: list[float], fake: list[float], other: list[float]
) -> None:
    functions = losses.REGISTRY[kind]
    here, there = (functions.generator(torch.tensor(logits), torch.tensor(fake)) for logits in (real, other))
    if not functions.generator_compares:
        assert torch.equal(here, there)
    else:
        real_logits = leaf(real)
        (gradient,) = torch.autograd.grad(functions.generator(real_logits, torch.tensor(fake)), real_logits)
        assert gradient.abs().sum() > 0


def test_hinge_learns_nothing_beyond_the_margin() -> None:
    real, fake = leaf([1.5, 0.5]), leaf([-1.5, 0.5])
    gradients = torch.autograd.grad(losses.hinge_d(real, fake), (real, fake))
    assert [gradient.tolist() for gradient in gradients] == [[0.0, -0.5], [0.0, 0.5]]


def test_saturating_gradient_vanishes_where_the_discriminator_is_sure_and_the_other_does_not() -> None:
    logits = leaf([-12.0])
    (minimax,) = torch.autograd.grad(losses.minimax_g(logits, logits), logits)
    (non_saturating,) = torch.autograd.grad(losses.non_saturating_g(logits, logits), logits)
    assert abs(minimax.item()) < 1e-4
    assert abs(non_saturating.item()) > 0.99


# Printed wrongly


def printed_discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """The survey's L_D, as it is printed: -E log D(x) + E log(1 - D(G(z)))."""
    return -real.sigmoid().log().mean() + (1 - fake.sigmoid()).log().mean()


def printed_generator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """The survey's L_G, as it is printed: -E log D(x) - E log(1 - D(G(z)))."""
    return -real.sigmoid().log().mean() - (1 - fake.sigmoid()).log().mean()


def test_printed_discriminator_loss_rewards_being_fooled_and_ours_does_not() -> None:
    real, fake = leaf([0.5]), leaf([0.3])
    (printed,) = torch.autograd.grad(printed_discriminator_loss(real, fake), fake)
    (ours,) = torch.autograd.grad(losses.binary_d(real, fake), fake)
    assert printed.item() < 0 < ours.item()


def test_printed_generator_loss_is_the_discriminators_and_rewards_being_caught() -> None:
    real, fake = leaf([0.5]), leaf([0.3])
    printed = printed_generator_loss(real, fake)
    torch.testing.assert_close(printed, losses.binary_d(real, fake))
    (gradient,) = torch.autograd.grad(printed, fake)
    (minimax,) = torch.autograd.grad(losses.minimax_g(real, fake), fake)
    (non_saturating,) = torch.autograd.grad(losses.non_saturating_g(real, fake), fake)
    assert gradient.item() > 0 > minimax.item()
    assert non_saturating.item() < 0


# Numbers


@NO_DEADLINE
@given(x=st.floats(-200, 200))
def test_softplus_is_torchs(x: float) -> None:
    logits = torch.tensor(x, dtype=torch.float64)
    torch.testing.assert_close(losses.softplus(logits), functional.softplus(logits, threshold=1000), rtol=1e-12, atol=0)


def test_softplus_of_huge_numbers_is_a_ramp_with_a_ramps_slope() -> None:
    logits = leaf([-1e30, -1e4, 0.0, 1e4, 1e30])
    values = losses.softplus(logits)
    (slopes,) = torch.autograd.grad(values.sum(), logits)
    torch.testing.assert_close(values.detach(), torch.tensor([0.0, 0.0, 0.6931472, 1e4, 1e30]))
    torch.testing.assert_close(slopes, torch.tensor([0.0, 0.0, 0.5, 1.0, 1.0]))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sign", [1, -1])
def test_losses_of_huge_logits_and_their_gradients_are_finite(kind: str, sign: int) -> None:
    for side in (losses.REGISTRY[kind].discriminator, losses.REGISTRY[kind].generator):
        real, fake = leaf([1e4 * sign, -1e4, 0.0]), leaf([-1e4 * sign, 1e4, 0.0])
        value = side(real, fake)
        assert value.isfinite()
        for gradient in torch.autograd.grad(value, (real, fake), allow_unused=True):
            assert gradient is None or gradient.isfinite().all()


@pytest.mark.parametrize("kind", RELATIVISTIC)
@NO_DEADLINE
@given(real=LOGITS, fake=LOGITS, shift=st.floats(-100, 100))
def test_relativistic_losses_see_differences_only(
    kind: str, real: list[float], fake: list[float], shift: float
) -> None:
    real_logits, fake_logits = leaf(real, torch.float64), leaf(fake, torch.float64)
    for side in (losses.REGISTRY[kind].discriminator, losses.REGISTRY[kind].generator):
        moved, still = side(real_logits + shift, fake_logits + shift), side(real_logits, fake_logits)
        torch.testing.assert_close(moved, still, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", ["wasserstein", *RELATIVISTIC])
@NO_DEADLINE
@given(real=WHOLE, fake=WHOLE, shift=st.integers(-100, 100))
def test_accuracy_of_comparing_losses_sees_differences_only(
    kind: str, real: list[int], fake: list[int], shift: int
) -> None:
    """Whole numbers, four a batch, are moved without rounding."""
    accuracy, a, b = losses.REGISTRY[kind].accuracy, torch.tensor(real).float(), torch.tensor(fake).float()
    assert accuracy(a + shift, b + shift).item() == accuracy(a, b).item()


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"wasserstein", *RELATIVISTIC}))
def test_other_losses_see_where_zero_is(kind: str) -> None:
    real, fake = torch.tensor([0.5, -0.5]), torch.tensor([0.25, -0.25])
    discriminator = losses.REGISTRY[kind].discriminator
    assert not torch.isclose(discriminator(real, fake), discriminator(real + 3, fake + 3))


@pytest.mark.parametrize("kind", RELATIVISTIC)
@NO_DEADLINE
@given(real=LOGITS, fake=LOGITS)
def test_relativistic_generator_plays_the_discriminators_part_with_sides_swapped(
    kind: str, real: list[float], fake: list[float]
) -> None:
    functions, a, b = losses.REGISTRY[kind], torch.tensor(real), torch.tensor(fake)
    assert torch.equal(functions.generator(a, b), functions.discriminator(b, a))
