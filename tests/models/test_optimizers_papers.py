"""Every optimizer does what its paper prints."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import Parameter

from models import optimizers, specs
from tests.models.test_optimizers import KINDS, NO_DEADLINE, SETTINGS, Vector, flat, gradients_at, spec_of, start


def printed_direction(m: Vector, v: Vector, t: int, settings: dict[str, Any]) -> Vector:
    (beta_1, beta_2), eps = settings["betas"], settings.get("eps", 1e-8)
    direction: Vector = (m / (1 - beta_1**t)) / (np.sqrt(v / (1 - beta_2**t)) + eps)
    return direction


def printed_adam(
    theta: Vector, gradients: Iterator[Vector], settings: dict[str, Any], *, decay: float = 0.0
) -> Iterator[Vector]:
    (beta_1, beta_2), lr = settings["betas"], settings["lr"]
    m, v = np.zeros_like(theta), np.zeros_like(theta)
    for t, g in enumerate(gradients, start=1):
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g * g
        theta = theta - lr * decay * theta - lr * printed_direction(m, v, t, settings)
        yield theta


def printed_adamw(theta: Vector, gradients: Iterator[Vector], settings: dict[str, Any]) -> Iterator[Vector]:
    return printed_adam(theta, gradients, settings, decay=settings["weight_decay"])


def printed_optimistic_adam(theta: Vector, gradients: Iterator[Vector], settings: dict[str, Any]) -> Iterator[Vector]:
    (beta_1, beta_2), lr = settings["betas"], settings["lr"]
    ms, vs = [np.zeros_like(theta)], [np.zeros_like(theta)]
    for t, g in enumerate(gradients, start=1):
        ms.append(beta_1 * ms[-1] + (1 - beta_1) * g)
        vs.append(beta_2 * vs[-1] + (1 - beta_2) * g**2)
        theta = theta - 2 * lr * printed_direction(ms[t], vs[t], t, settings)
        if t > 1:
            theta = theta + lr * printed_direction(ms[t - 1], vs[t - 1], t - 1, settings)
        yield theta


def printed_extra_adam(theta: Vector, gradients: Iterator[Vector], settings: dict[str, Any]) -> Iterator[Vector]:
    (beta_1, beta_2), lr = settings["betas"], settings["lr"]
    m, v = np.zeros_like(theta), np.zeros_like(theta)
    for t, ahead in enumerate(gradients, start=1):
        m, v = beta_1 * m + (1 - beta_1) * ahead, beta_2 * v + (1 - beta_2) * ahead**2
        yield theta - lr * printed_direction(m, v, 2 * t - 1, settings)
        there = next(gradients)
        m, v = beta_1 * m + (1 - beta_1) * there, beta_2 * v + (1 - beta_2) * there**2
        theta = theta - lr * printed_direction(m, v, 2 * t, settings)
        yield theta


def printed_rmsprop(theta: Vector, gradients: Iterator[Vector], settings: dict[str, Any]) -> Iterator[Vector]:
    v = np.zeros_like(theta)
    for g in gradients:
        v = settings["alpha"] * v + (1 - settings["alpha"]) * g**2
        theta = theta - settings["lr"] * g / (np.sqrt(v) + settings["eps"])
        yield theta


def printed_sgd(theta: Vector, gradients: Iterator[Vector], settings: dict[str, Any]) -> Iterator[Vector]:
    """The heavy ball: the last displacement is gone again, times the momentum."""
    before = theta
    for g in gradients:
        before, theta = theta, theta - settings["lr"] * g + settings.get("momentum", 0.0) * (theta - before)
        yield theta


PRINTED: dict[str, Callable[[Vector, Iterator[Vector], dict[str, Any]], Iterator[Vector]]] = {
    "adam": printed_adam,
    "adamw": printed_adamw,
    "optimistic_adam": printed_optimistic_adam,
    "extra_adam": printed_extra_adam,
    "rmsprop": printed_rmsprop,
    "sgd": printed_sgd,
}


def test_every_kind_is_compared_with_its_paper() -> None:
    assert set(PRINTED) == set(KINDS) == {settings["kind"] for settings in SETTINGS}


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_twenty_steps_are_those_that_the_paper_prints(
    settings: dict[str, Any], dtype: torch.dtype, tolerance: float
) -> None:
    parameters = start(dtype)
    optimizer = optimizers.build(spec_of(settings), parameters=parameters)
    # The first gradient is tiny, where eps counts, and the second large.
    scale = {0: 1e-6, 1: 30.0}
    gradients = [[scale.get(number, 1.0) * g for g in gradients_at(number, dtype)] for number in range(20)]
    expected = PRINTED[settings["kind"]](flat(parameters), iter([flat(g) for g in gradients]), settings)
    for number, theta in enumerate(expected):
        move = optimizers.extrapolate if settings["kind"] == "extra_adam" and number % 2 == 0 else optimizers.step
        norm = move(optimizer, gradients[number])
        np.testing.assert_allclose(flat(parameters), theta, rtol=tolerance, atol=tolerance)
        assert norm.item() == pytest.approx(np.linalg.norm(flat(gradients[number])), rel=1e-6)
    assert number == 19


@pytest.mark.parametrize(
    ("settings", "reference"),
    [
        ({"kind": "rmsprop", "lr": 0.03, "alpha": 0.9}, lambda p: torch.optim.RMSprop(p, lr=0.03, alpha=0.9)),
        ({"kind": "sgd", "lr": 0.03, "momentum": 0.8}, lambda p: torch.optim.SGD(p, lr=0.03, momentum=0.8)),
        ({"kind": "extra_adam", "lr": 0.03, "betas": (0.5, 0.9)}, lambda p: torch.optim.Adam(p, 0.03, (0.5, 0.9))),
    ],
    ids=str,
)
def test_steps_are_pytorchs_where_it_has_the_method(
    settings: dict[str, Any], reference: Callable[[list[Parameter]], torch.optim.Optimizer]
) -> None:
    """ExtraAdam that never looks ahead is Adam."""
    ours, theirs = start(), start()
    optimizer, other = optimizers.build(spec_of(settings), parameters=ours), reference(theirs)
    for number in range(20):
        optimizers.step(optimizer, gradients_at(number))
        for parameter, gradient in zip(theirs, gradients_at(number), strict=True):
            parameter.grad = gradient
        other.step()
    np.testing.assert_allclose(flat(ours), flat(theirs), rtol=1e-5, atol=1e-6)


def test_adam_without_clipping_is_pytorchs_to_the_bit() -> None:
    ours, theirs = start(), start()
    optimizer = optimizers.build(specs.AdamOptimizer(lr=0.03, betas=(0.5, 0.999)), parameters=ours)
    other = torch.optim.Adam(theirs, lr=0.03, betas=(0.5, 0.999), fused=True)
    for number in range(10):
        optimizers.step(optimizer, gradients_at(number))
        for parameter, gradient in zip(theirs, gradients_at(number), strict=True):
            parameter.grad = gradient
        other.step()
    assert all(torch.equal(one, another) for one, another in zip(ours, theirs, strict=True))


@NO_DEADLINE
@given(momentum=st.floats(-0.99, 0.99), steps=st.integers(1, 30))
def test_under_a_constant_slope_momentum_is_a_geometric_series(momentum: float, steps: int) -> None:
    """b_n = (1 - mu^n) / (1 - mu), negative mu included; the way is its sum, times the learning rate."""
    parameter = Parameter(torch.zeros(1, dtype=torch.float64))
    optimizer = optimizers.build(specs.SgdOptimizer(lr=0.1, momentum=momentum), parameters=[parameter])
    for _ in range(steps):
        optimizers.step(optimizer, [torch.ones(1, dtype=torch.float64)])
    way = sum((1 - momentum**n) / (1 - momentum) for n in range(1, steps + 1))
    assert parameter.item() == pytest.approx(-0.1 * way, rel=1e-9)


def test_the_learning_rate_that_was_set_is_the_one_of_the_next_step() -> None:
    parameters = start()
    optimizer = optimizers.build(specs.SgdOptimizer(lr=0.5), parameters=parameters)
    before = flat(parameters)
    optimizer.lr = 0.25
    optimizers.step(optimizer, gradients_at(0))
    np.testing.assert_allclose(flat(parameters), before - 0.25 * flat(gradients_at(0)), rtol=1e-6)
