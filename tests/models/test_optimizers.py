"""Every optimizer resumes to the bit, clips, and does not step by values that are not finite."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import TypeAdapter
from torch import Tensor
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode
from torch.nn import Parameter

from models import optimizers, specs

# The first step of a process takes a second: PyTorch imports its compiler.
NO_DEADLINE = hypothesis_settings(deadline=None)
Vector = NDArray[np.float64]
Method = Callable[[Vector, Iterator[Vector]], Iterator[Vector]]
"""(theta_0, the gradients) -> theta after each of them; written down from the papers, a vector at a time."""

KINDS = sorted(optimizers.REGISTRY)
SETTINGS: list[dict[str, Any]] = [
    {"kind": "adam", "lr": 0.03, "betas": (0.5, 0.999), "eps": 1e-3},
    {"kind": "adamw", "lr": 0.03, "betas": (0.9, 0.99), "weight_decay": 0.3},
    {"kind": "rmsprop", "lr": 0.03, "alpha": 0.9, "eps": 1e-3},
    {"kind": "sgd", "lr": 0.03},
    {"kind": "sgd", "lr": 0.03, "momentum": -0.5},
    {"kind": "sgd", "lr": 0.03, "momentum": 0.9},
    {"kind": "optimistic_adam", "lr": 0.03, "betas": (0.5, 0.9), "eps": 1e-3},
    {"kind": "optimistic_adam", "lr": 0.03, "betas": (0.0, 0.0)},
    {"kind": "extra_adam", "lr": 0.03, "betas": (0.5, 0.9), "eps": 1e-3},
    {"kind": "extra_adam", "lr": 0.03, "betas": (0.0, 0.999)},
]
SHAPES = ((3, 2), (4,))


def spec_of(settings: dict[str, Any]) -> specs.Optimizer:
    spec: specs.Optimizer = TypeAdapter(specs.Optimizer).validate_python(settings)
    return spec


def start(dtype: torch.dtype = torch.float32) -> list[Parameter]:
    chance = torch.Generator().manual_seed(1)
    return [Parameter(torch.randn(shape, generator=chance, dtype=torch.float64).to(dtype)) for shape in SHAPES]


def gradients_at(number: int, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    chance = torch.Generator().manual_seed(100 + number)
    return [torch.randn(shape, generator=chance, dtype=torch.float64).to(dtype) for shape in SHAPES]


def advance(optimizer: optimizers.Optimizer, number: int) -> None:
    """Apply one of many gradients. ExtraAdam uses the even ones to look ahead."""
    looks_ahead = optimizers.extrapolate if hasattr(optimizer, "extrapolate") and number % 2 == 0 else optimizers.step
    looks_ahead(optimizer, gradients_at(number, optimizer.parameters[0].dtype))


def flat(tensors: list[Tensor] | list[Parameter]) -> Vector:
    return np.concatenate([tensor.detach().double().flatten().numpy() for tensor in tensors])


def kept(optimizer: optimizers.Optimizer) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in optimizers.state(optimizer).items()}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


# State


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_from_each_step_a_restored_optimizer_goes_on_to_the_bit(settings: dict[str, Any]) -> None:
    parameters = start()
    optimizer = optimizers.build(spec_of(settings), parameters=parameters)
    for number in range(8):
        twins = [Parameter(parameter.detach().clone()) for parameter in parameters]
        twin = optimizers.build(spec_of(settings), parameters=twins)
        optimizers.restore(twin, kept(optimizer))
        advance(optimizer, number)
        advance(twin, number)
        assert all(torch.equal(one, other) for one, other in zip(parameters, twins, strict=True))
        assert same(kept(optimizer), kept(twin))


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_state_is_empty_before_the_first_step_and_moves_no_gradient_after(settings: dict[str, Any]) -> None:
    optimizer = optimizers.build(spec_of(settings), parameters=start())
    assert optimizers.state(optimizer) == {}
    advance(optimizer, 1)
    assert all(not tensor.requires_grad for tensor in optimizers.state(optimizer).values())


@pytest.mark.parametrize("kind", ["rmsprop", "optimistic_adam", "extra_adam"])
def test_state_lies_in_memory_as_its_parameter_does(kind: str) -> None:
    weight = Parameter(torch.randn(4, 3, 2, 2).to(memory_format=torch.channels_last))
    optimizer = optimizers.build(spec_of({"kind": kind}), parameters=[weight])
    optimizers.step(optimizer, [torch.randn(4, 3, 2, 2)])
    twin = optimizers.build(spec_of({"kind": kind}), parameters=[weight])
    optimizers.restore(twin, {name: tensor.contiguous() for name, tensor in kept(optimizer).items()})
    for tensors in (optimizers.state(optimizer), optimizers.state(twin)):
        assert tensors["0.square"].is_contiguous(memory_format=torch.channels_last)


def permuted(gradient: Tensor) -> Tensor:
    """Return the gradient as a second derivative of a convolution leaves it: the first dimension varies fastest."""
    return gradient.permute(2, 3, 1, 0).contiguous().permute(3, 2, 0, 1)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("max_norm", [None, 0.1])
@pytest.mark.parametrize("weights", [torch.contiguous_format, torch.channels_last], ids=str)
def test_the_memory_layout_of_gradients_changes_no_step(
    settings: dict[str, Any], max_norm: float | None, weights: torch.memory_format
) -> None:
    chance = torch.Generator().manual_seed(1)
    start_OIHW = torch.randn(4, 3, 2, 2, generator=chance)
    gradients = [torch.randn(4, 3, 2, 2, generator=chance) for _ in range(3)]
    layouts: list[Callable[[Tensor], Tensor]] = [
        lambda gradient: gradient,
        lambda gradient: gradient.to(memory_format=torch.channels_last),
        permuted,
    ]
    ends = []
    for layout in layouts:
        weight = Parameter(start_OIHW.to(memory_format=weights, copy=True))
        optimizer = optimizers.build(spec_of(settings), parameters=[weight])
        for gradient in gradients:
            optimizers.step(optimizer, [layout(gradient)], max_norm=max_norm)
        ends.append(weight.detach())
    # The order in which a norm is summed differs.
    for end in ends[1:]:
        torch.testing.assert_close(end, ends[0], rtol=1e-6, atol=1e-6)


# What is not a number


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("poison", [math.nan, math.inf, -math.inf, 1e30])
@pytest.mark.parametrize("max_norm", [None, 1.0])
@pytest.mark.parametrize("steps", [0, 3])
def test_a_gradient_that_is_not_finite_is_as_if_it_had_not_been(
    settings: dict[str, Any], poison: float, max_norm: float | None, steps: int
) -> None:
    """With gradients of 1e30, each number is finite and their norm is not, at the first step as later."""
    poisoned, clean = start(), start()
    one, other = (optimizers.build(spec_of(settings), parameters=each) for each in (poisoned, clean))
    for number in range(2 * steps):
        advance(one, number)
        advance(other, number)
    before, state = flat(poisoned), kept(one)

    bad = gradients_at(99)
    bad[1][2] = poison
    norm = optimizers.step(one, bad, max_norm=max_norm)

    assert not norm.isfinite()
    assert np.array_equal(before, flat(poisoned))
    after = kept(one)
    assert same({name: after[name] for name in state}, state)
    assert all(not tensor.any() for name, tensor in after.items() if name not in state)
    for number in range(2):
        advance(one, number)
        advance(other, number)
        assert np.array_equal(flat(poisoned), flat(clean))
    assert same(kept(one), kept(other))


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_never_waits_for_the_device(kind: str) -> None:
    """Fake tensors hold no numbers: an optimizer that reads one fails."""
    with FakeTensorMode():
        parameters = [Parameter(torch.ones(3, 2)), Parameter(torch.ones(4))]
        gradients = [torch.ones(3, 2), torch.ones(4)]
        optimizer = optimizers.build(spec_of({"kind": kind}), parameters=parameters)
        for _ in range(2):
            if kind == "extra_adam":
                optimizers.extrapolate(optimizer, gradients, max_norm=1.0)
            norm = optimizers.step(optimizer, gradients, max_norm=1.0)
        with pytest.raises(DataDependentOutputException):
            norm.item()


# Clipping


@NO_DEADLINE
@given(numbers=st.lists(st.floats(-100, 100, width=32), min_size=10, max_size=10), max_norm=st.floats(0.01, 100))
def test_clipping_keeps_the_direction_and_bounds_the_norm(numbers: list[float], max_norm: float) -> None:
    parameters = [Parameter(torch.zeros(6, dtype=torch.float64)), Parameter(torch.zeros(4, dtype=torch.float64))]
    optimizer = optimizers.build(specs.SgdOptimizer(lr=1.0), parameters=parameters)
    gradient = torch.tensor(numbers, dtype=torch.float64)
    norm = optimizers.step(optimizer, [gradient[:6].clone(), gradient[6:].clone()], max_norm=max_norm)
    whole = float(np.linalg.norm(numbers))
    assert norm.item() == pytest.approx(whole)
    scale = min(1.0, max_norm / (whole + 1e-6))
    np.testing.assert_allclose(-flat(parameters), scale * gradient.numpy(), rtol=1e-9, atol=1e-12)
    assert np.linalg.norm(flat(parameters)) <= max_norm * (1 + 1e-9)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_a_norm_within_the_limit_changes_no_bit(settings: dict[str, Any]) -> None:
    free, bound = start(), start()
    one, other = (optimizers.build(spec_of(settings), parameters=each) for each in (free, bound))
    for number in range(3):
        optimizers.step(one, gradients_at(number))
        optimizers.step(other, gradients_at(number), max_norm=1000.0)
    assert np.array_equal(flat(free), flat(bound))


def test_gradients_handed_in_are_left_as_they_are() -> None:
    gradients = gradients_at(0)
    optimizers.step(optimizers.build(specs.SgdOptimizer(), parameters=start()), gradients, max_norm=0.1)
    assert np.array_equal(flat(gradients), flat(gradients_at(0)))
