"""The penalties, against cases worked out by hand."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from models import penalties
from models.specs import (
    ConsistencyPenalty,
    DraganPenalty,
    GradientPenalty,
    LecamPenalty,
    R1Penalty,
    R2Penalty,
    WeightClip,
)

Judge = Callable[[Tensor], Tensor]

NO_DEADLINE = settings(deadline=None)
"""A first call into torch can take longer than hypothesis allows a test, more so on shared cores."""


def quadratic(images_NCHW: Tensor) -> Tensor:
    """Return D(x) = |x|^2 / 2, whose gradient is x."""
    return images_NCHW.square().flatten(1).sum(1) / 2


def linear(weight: Tensor) -> Judge:
    """Return D(x) = <w, x>, whose gradient is w."""
    return lambda images_NCHW: images_NCHW.flatten(1) @ weight


def context(
    judge: Judge, real: Tensor, fake: Tensor, *, statistics: dict[str, Tensor] | None = None, seed: int = 0
) -> penalties.PenaltyContext:
    real, fake = real.detach().clone().requires_grad_(), fake.detach().clone().requires_grad_()
    rng = torch.Generator().manual_seed(seed)
    kept = {} if statistics is None else statistics
    return penalties.PenaltyContext(real, fake, judge(real), judge(fake), judge, rng, kept)


def term(spec: Any, case: penalties.PenaltyContext) -> Tensor:
    made = penalties.REGISTRY[spec.kind].term
    assert made is not None
    return made(spec, case)


def points(*rows: list[float]) -> Tensor:
    """Return images of 1 x 1 x W."""
    return torch.tensor(rows)[:, None, None, :]


# Zero-centred


def test_r1_and_r2_are_half_gamma_times_the_mean_squared_gradient_norm() -> None:
    real = points([3.0, 4.0], [0.0, 1.0])  # squared norms 25 and 1
    fake = points([2.0, 0.0], [0.0, 0.0])  # squared norms 4 and 0
    case = context(quadratic, real, fake)
    assert term(R1Penalty(weight=0.5), case).item() == pytest.approx(0.25 * 13)
    assert term(R2Penalty(weight=3.0), case).item() == pytest.approx(1.5 * 2)


@pytest.mark.parametrize("spec", [R1Penalty(weight=1.0), R2Penalty(weight=1.0)], ids=lambda spec: spec.kind)
def test_zero_centred_penalty_teaches_the_discriminator_to_be_flat(spec: Any) -> None:
    weight = torch.randn(4, requires_grad=True)
    penalty = term(spec, context(linear(weight), torch.randn(8, 1, 2, 2), torch.randn(8, 1, 2, 2)))
    (gradient,) = torch.autograd.grad(penalty, weight)
    torch.testing.assert_close(penalty, weight.square().sum() / 2)
    torch.testing.assert_close(gradient, weight.detach())


def test_r1_and_r2_share_one_pass_for_the_gradients() -> None:
    case = context(quadratic, points([1.0]), points([2.0]))
    term(R1Penalty(), case)
    real_NCHW, fake_NCHW = case.gradients_NCHW
    term(R2Penalty(), case)
    assert case.gradients_NCHW[0] is real_NCHW
    assert case.gradients_NCHW[1] is fake_NCHW


# Drawn to one


@pytest.mark.parametrize("spec", [GradientPenalty(weight=3.0), DraganPenalty(weight=3.0)], ids=lambda spec: spec.kind)
@pytest.mark.parametrize("length", [0.25, 1.0, 5.0])
def test_penalty_of_a_linear_discriminator_is_its_squared_distance_from_slope_one(spec: Any, length: float) -> None:
    """The gradient of <w, x> is w everywhere: lambda (|w| - 1)^2, and 2 lambda (|w| - 1) w / |w| for w."""
    weight = (length * functional.normalize(torch.tensor([1.0, -2.0, 3.0, 0.5]), dim=0)).requires_grad_()
    penalty = term(spec, context(linear(weight), torch.randn(8, 1, 2, 2), torch.randn(8, 1, 2, 2)))
    assert penalty.item() == pytest.approx(3 * (length - 1) ** 2, abs=1e-6)
    (gradient,) = torch.autograd.grad(penalty, weight)
    torch.testing.assert_close(gradient, 6 * (length - 1) * weight.detach() / length)


@pytest.mark.parametrize("spec", [GradientPenalty(weight=3.0), DraganPenalty(weight=3.0)], ids=lambda spec: spec.kind)
@pytest.mark.parametrize("length", [0.0, 1e-30])
def test_penalty_of_a_flat_discriminator_has_a_finite_gradient(spec: Any, length: float) -> None:
    weight = torch.full((4,), length, requires_grad=True)
    penalty = term(spec, context(linear(weight), torch.randn(8, 1, 2, 2), torch.randn(8, 1, 2, 2)))
    (gradient,) = torch.autograd.grad(penalty, weight)
    assert penalty.item() == pytest.approx(3.0)
    assert gradient.isfinite().all()


def test_gradient_penalty_looks_at_one_point_between_each_real_and_its_fake() -> None:
    seen: list[Tensor] = []

    def judge(images_NCHW: Tensor) -> Tensor:
        seen.append(images_NCHW.detach())
        return quadratic(images_NCHW)

    real, fake = torch.randn(64, 3, 2, 2), torch.randn(64, 3, 2, 2)
    term(GradientPenalty(), context(judge, real, fake))
    between = seen[-1]
    shares = ((between - fake) / (real - fake)).flatten(1)
    assert shares.std(1).max() < 1e-3, "one share for all pixels of an image"
    share = shares.median(1).values
    assert (share >= 0).all()
    assert (share <= 1).all()
    assert share.std() == pytest.approx(12**-0.5, abs=0.05), "U[0, 1], another for each image"


def test_gradient_penalty_of_a_quadratic_discriminator_is_what_the_integral_says() -> None:
    """With reals at 2, fakes at 0 and |grad D(x)| = |x|: lambda int_0^1 (2 e - 1)^2 de = lambda / 3."""
    case = context(quadratic, torch.full((20_000, 1, 1, 1), 2.0), torch.zeros(20_000, 1, 1, 1))
    assert term(GradientPenalty(weight=6.0), case).item() == pytest.approx(2.0, rel=0.03)


@pytest.mark.parametrize("reach", [0.5, 2.0])
def test_dragan_looks_up_to_so_many_standard_deviations_above_the_real_images(reach: float) -> None:
    seen: list[Tensor] = []

    def judge(images_NCHW: Tensor) -> Tensor:
        seen.append(images_NCHW.detach())
        return quadratic(images_NCHW)

    real = 0.3 * torch.randn(500, 1, 2, 2)
    term(DraganPenalty(reach=reach), context(judge, real, torch.full_like(real, 100.0)))
    noise, most = seen[-1] - real, reach * real.std().item()
    assert noise.min() > -1e-6
    assert noise.max() < most * 1.01
    assert noise.mean() == pytest.approx(most / 2, rel=0.05)
    assert noise.std() == pytest.approx(most / 12**0.5, rel=0.05)


@pytest.mark.parametrize(
    "spec", [GradientPenalty(), DraganPenalty(), ConsistencyPenalty(flip=True)], ids=lambda spec: spec.kind
)
def test_chance_alone_decides_where_a_penalty_looks(spec: Any) -> None:
    real, fake = torch.randn(4, 1, 6, 6), torch.randn(4, 1, 6, 6)
    weight = torch.randn(36)

    def cubic(images_NCHW: Tensor) -> Tensor:
        return (images_NCHW.flatten(1) @ weight) ** 3

    first, again, other = (term(spec, context(cubic, real, fake, seed=seed)).item() for seed in (1, 1, 2))
    assert first == again != other


@pytest.mark.parametrize(
    "spec",
    [R1Penalty(), R2Penalty(), GradientPenalty(), DraganPenalty(), LecamPenalty(), ConsistencyPenalty()],
    ids=lambda spec: spec.kind,
)
def test_every_penalty_teaches_a_network_whose_images_require_grad_only_if_it_asks_for_it(spec: Any) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.Tanh(), nn.Flatten(), nn.Linear(4 * 25, 1))
    needs = penalties.REGISTRY[spec.kind].needs_gradients
    real, fake = torch.randn(6, 2, 5, 5, requires_grad=needs), torch.randn(6, 2, 5, 5, requires_grad=needs)

    def judge(images_NCHW: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            logits: Tensor = network(images_NCHW).float().squeeze(1)
        return logits

    case = penalties.PenaltyContext(real, fake, judge(real), judge(fake), judge, torch.Generator().manual_seed(0), {})
    penalty = term(spec, case)
    gradients = torch.autograd.grad(penalty, list(network.parameters()), allow_unused=True)
    assert penalty.dtype == torch.float32
    assert penalty.shape == ()
    assert all(gradient is None or gradient.isfinite().all() for gradient in gradients)
    weight = gradients[0]
    assert weight is not None
    assert weight.abs().sum() > 0


# Clipping


@NO_DEADLINE
@given(values=st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=8), limit=st.floats(1e-4, 1))
def test_weight_clip_cuts_what_is_outside_and_leaves_the_rest(values: list[float], limit: float) -> None:
    weights, bias = torch.tensor(values, requires_grad=True), torch.tensor([-7.0, 7.0], requires_grad=True)
    project = penalties.REGISTRY["weight_clip"].project
    assert project is not None
    project(WeightClip(limit=limit), [weights, bias])
    torch.testing.assert_close(weights.detach(), torch.tensor(values).clip(-limit, limit), rtol=0, atol=0)
    torch.testing.assert_close(bias.detach(), torch.tensor([-limit, limit]))


def test_weight_clip_adds_nothing_to_the_loss_and_hides_no_nan() -> None:
    assert penalties.REGISTRY["weight_clip"].term is None
    weights = torch.tensor([float("nan"), 5.0], requires_grad=True)
    project = penalties.REGISTRY["weight_clip"].project
    assert project is not None
    project(WeightClip(limit=0.01), [weights])
    assert weights[0].isnan()
    assert weights[1].item() == pytest.approx(0.01)


@pytest.mark.parametrize("kind", sorted(set(penalties.REGISTRY) - {"weight_clip"}))
def test_only_weight_clip_touches_the_weights(kind: str) -> None:
    assert penalties.REGISTRY[kind].project is None
    assert penalties.REGISTRY[kind].term is not None
