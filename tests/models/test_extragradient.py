"""In min over x, max over y of x y, some methods spiral out, some circle, some arrive: known answers.

With z = x + i y, the descent directions of the two variables are F(z) = (y, -x) = -i z.
"""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from torch.nn import Parameter

from models import optimizers, specs

# The first step of a process takes a second: PyTorch imports its compiler.
NO_DEADLINE = hypothesis_settings(deadline=None)
LEARNING_RATES = st.floats(0.01, 0.9)


class Bilinear:
    """Two networks of one number each, and the distance to the equilibrium after each step."""

    def __init__(self, spec: specs.Optimizer, *, x: float = 1.0, y: float = 1.0) -> None:
        self.x, self.y = (Parameter(torch.tensor([number], dtype=torch.float64)) for number in (x, y))
        self.minimiser, self.maximiser = (optimizers.build(spec, parameters=[each]) for each in (self.x, self.y))

    @property
    def z(self) -> complex:
        return complex(self.x.item(), self.y.item())

    def simultaneous(self, step: Callable[..., torch.Tensor] = optimizers.step) -> complex:
        """Step both from the same point."""
        downhill, uphill = [self.y.detach().clone()], [-self.x.detach()]
        step(self.minimiser, downhill)
        step(self.maximiser, uphill)
        return self.z

    def alternating(self) -> complex:
        """Step the second after the first, from where the first went."""
        optimizers.step(self.minimiser, [self.y.detach().clone()])
        optimizers.step(self.maximiser, [-self.x.detach()])
        return self.z

    def look_ahead(self) -> complex:
        self.simultaneous(optimizers.extrapolate)
        return self.simultaneous()


@NO_DEADLINE
@given(lr=LEARNING_RATES)
def test_simultaneous_descent_spirals_out_at_the_known_rate(lr: float) -> None:
    """z' = z - lr F(z) = (1 + i lr) z: the distance grows by sqrt(1 + lr^2) a step."""
    game = Bilinear(specs.SgdOptimizer(lr=lr))
    for round_number in range(1, 11):
        z = game.simultaneous()
        assert abs(z) == pytest.approx(math.sqrt(2) * (1 + lr**2) ** (round_number / 2), rel=1e-9)


@NO_DEADLINE
@given(lr=LEARNING_RATES)
def test_alternating_descent_keeps_its_invariant_and_circles(lr: float) -> None:
    """The map has determinant 1 and keeps x^2 + y^2 - lr x y: it neither arrives nor flees."""
    game = Bilinear(specs.SgdOptimizer(lr=lr))
    for _ in range(30):
        z = game.alternating()
        assert z.real**2 + z.imag**2 - lr * z.real * z.imag == pytest.approx(2 - lr, rel=1e-9)


@NO_DEADLINE
@given(lr=st.floats(0.05, 0.9), momentum=st.floats(-0.9, 0.5))
def test_momentum_in_turns_moves_by_the_powers_of_its_matrix(lr: float, momentum: float) -> None:
    """(x, y, b_x, b_y) is mapped linearly; the matrix is multiplied out here by hand."""
    game = Bilinear(specs.SgdOptimizer(lr=lr, momentum=momentum))
    first = np.array([[1, -lr, -lr * momentum, 0], [0, 1, 0, 0], [0, 1, momentum, 0], [0, 0, 0, 1]])
    second = np.array([[1, 0, 0, 0], [lr, 1, 0, -lr * momentum], [0, 0, 1, 0], [-1, 0, 0, momentum]])
    state = np.array([1.0, 1.0, 0.0, 0.0])
    for _ in range(20):
        z = game.alternating()
        state = second @ first @ state
        np.testing.assert_allclose([z.real, z.imag], state[:2], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("momentum", "arrives"), [(-0.5, True), (0.0, False), (0.3, False)])
def test_only_negative_momentum_in_turns_arrives(momentum: float, arrives: bool) -> None:
    """Gidel et al. 2019, "Negative Momentum for Improved Game Dynamics"."""
    game = Bilinear(specs.SgdOptimizer(lr=0.5, momentum=momentum))
    distance = [abs(game.alternating()) for _ in range(300)][-1]
    assert (distance < 1e-3) == arrives
    assert distance < 1e-3 or distance > 1


# Where eps dwarfs the gradients and the betas are 0, Adam's direction is g / eps: with eps = 1 plain gradient descent.
TINY = 1e-9


@NO_DEADLINE
@given(lr=LEARNING_RATES)
def test_looking_ahead_contracts_at_the_known_rate(lr: float) -> None:
    """Extragradient: z' = z - lr F(z - lr F(z)) = (1 - lr^2 + i lr) z, inwards for every lr below 1."""
    game = Bilinear(specs.ExtraAdamOptimizer(lr=lr, betas=(0.0, 0.0), eps=1.0), x=TINY, y=TINY)
    for _ in range(20):
        before = game.z
        assert game.look_ahead() == pytest.approx((1 - lr**2 + 1j * lr) * before, rel=1e-6)
    assert abs(game.z) < math.sqrt(2) * TINY


@NO_DEADLINE
@given(lr=st.floats(0.01, 0.3))
def test_optimism_follows_its_recurrence_and_arrives(lr: float) -> None:
    """z_(t+1) = z_t - 2 lr F(z_t) + lr F(z_(t-1)), F(z_(-1)) = 0; the roots of its polynomial lie within the circle."""
    game = Bilinear(specs.OptimisticAdamOptimizer(lr=lr, betas=(0.0, 0.0), eps=1.0), x=TINY, y=TINY)
    z, last = complex(TINY, TINY), 0j
    for _ in range(30):
        z, last = z + 2j * lr * z - 1j * lr * last, z
        assert game.simultaneous() == pytest.approx(z, rel=1e-6)
    assert max(abs(np.roots([1, -(1 + 2j * lr), 1j * lr]))) < 1


def distance_after(spec: specs.Optimizer, *, rounds: int) -> float:
    game = Bilinear(spec)
    play = game.look_ahead if isinstance(spec, specs.ExtraAdamOptimizer) else game.simultaneous
    return [abs(play()) for _ in range(rounds)][-1]


def test_optimistic_and_extra_adam_arrive_where_adam_flees() -> None:
    settings = {"lr": 0.1, "betas": (0.0, 0.999)}
    start = math.sqrt(2)
    assert distance_after(specs.AdamOptimizer(**settings), rounds=600) > 2 * start
    assert distance_after(specs.OptimisticAdamOptimizer(**settings), rounds=600) < 1e-6 * start
    assert distance_after(specs.ExtraAdamOptimizer(**settings), rounds=600) < 1e-6 * start


# Between the two halves of a step


def extra_adam() -> tuple[optimizers.Optimizer, Parameter]:
    parameter = Parameter(torch.tensor([1.0, -2.0]))
    return optimizers.build(specs.ExtraAdamOptimizer(lr=0.1), parameters=[parameter]), parameter


def test_the_origin_is_kept_only_between_the_halves() -> None:
    optimizer, parameter = extra_adam()
    start = parameter.detach().clone()
    for _ in range(2):
        start = parameter.detach().clone()
        optimizers.extrapolate(optimizer, [torch.tensor([1.0, 2.0])])
        assert torch.equal(optimizers.state(optimizer)["0.origin"], start)
        assert not torch.equal(parameter, start)
        optimizers.step(optimizer, [torch.tensor([3.0, -1.0])])
        assert set(optimizers.state(optimizer)) == {"0.mean", "0.square", "0.steps"}


def test_a_step_goes_from_the_origin_by_the_gradient_found_ahead() -> None:
    """With betas 0 and a gradient far above eps, a step is the learning rate in the direction of the sign."""
    parameter = Parameter(torch.tensor([1.0, -2.0]))
    spec = specs.ExtraAdamOptimizer(lr=0.1, betas=(0.0, 0.0))
    optimizer = optimizers.build(spec, parameters=[parameter])
    optimizers.extrapolate(optimizer, [torch.tensor([5.0, 5.0])])
    assert parameter.tolist() == pytest.approx([0.9, -2.1])
    optimizers.step(optimizer, [torch.tensor([7.0, -7.0])])
    assert parameter.tolist() == pytest.approx([0.9, -1.9])


def test_a_look_ahead_refused_leaves_a_step_of_adam() -> None:
    optimizer, parameter = extra_adam()
    plain = Parameter(parameter.detach().clone())
    adam = optimizers.build(specs.ExtraAdamOptimizer(lr=0.1), parameters=[plain])
    optimizers.extrapolate(optimizer, [torch.tensor([math.nan, 1.0])])
    assert torch.equal(parameter, plain)
    for each in (optimizer, adam):
        optimizers.step(each, [torch.tensor([1.0, 2.0])])
    assert torch.equal(parameter, plain)


def test_a_second_half_refused_ends_the_round_where_it_began() -> None:
    optimizer, parameter = extra_adam()
    start = parameter.detach().clone()
    optimizers.extrapolate(optimizer, [torch.tensor([1.0, 2.0])])
    ahead = {name: tensor.clone() for name, tensor in optimizers.state(optimizer).items()}
    norm = optimizers.step(optimizer, [torch.tensor([math.inf, 1.0])])
    assert not norm.isfinite()
    assert torch.equal(parameter, start)
    after = optimizers.state(optimizer)
    assert set(after) == {"0.mean", "0.square", "0.steps"}
    assert all(torch.equal(after[name], ahead[name]) for name in after)


def test_looking_ahead_twice_does_not_lose_the_origin() -> None:
    optimizer, parameter = extra_adam()
    start = parameter.detach().clone()
    for _ in range(2):
        optimizers.extrapolate(optimizer, [torch.tensor([1.0, 2.0])])
    assert torch.equal(optimizers.state(optimizer)["0.origin"], start)


def test_looking_ahead_clips_as_a_step_does() -> None:
    far, near = extra_adam(), extra_adam()
    norm = optimizers.extrapolate(far[0], [torch.tensor([3.0, 4.0])], max_norm=1.0)
    assert norm.item() == pytest.approx(5)
    optimizers.extrapolate(near[0], [torch.tensor([0.6, 0.8])])
    for one, other in zip(optimizers.state(far[0]).values(), optimizers.state(near[0]).values(), strict=True):
        torch.testing.assert_close(one, other)


def test_other_optimizers_do_not_look_ahead() -> None:
    parameter = Parameter(torch.zeros(2))
    with pytest.raises(AssertionError):
        optimizers.extrapolate(optimizers.build(specs.AdamOptimizer(), parameters=[parameter]), [torch.ones(2)])
