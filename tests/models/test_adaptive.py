"""The control law of adaptive augmentation, step by step."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load, save
from torch import Tensor

from models import specs
from models.augment import adaptive, policies
from tests.models.test_augment import augmented, noise, rng


def learned(
    spec: specs.AdaptiveAugment, batches: list[list[float]], statistics: dict[str, Tensor] | None = None
) -> float:
    """Return p after a step with each batch of logits."""
    statistics = {} if statistics is None else statistics
    for logits in batches:
        adaptive.update(spec, torch.tensor(logits), statistics)
    return statistics[adaptive.P].item()


def test_probability_of_nought_and_an_empty_memory_show_the_images_themselves() -> None:
    images = noise(16, 3, 8, 8)
    for statistics in ({}, {adaptive.P: torch.zeros((), dtype=torch.float64)}):
        assert torch.equal(augmented("adaptive", images, statistics=statistics), images)


def test_probability_of_one_changes_every_image() -> None:
    images = noise(500, 3, 8, 8)
    shown = augmented("adaptive", images, policies=("color",))
    assert (shown != images).flatten(1).any(1).all()


@pytest.mark.parametrize("p", [0.0, 0.1, 0.6])
def test_images_and_both_gradients_are_those_of_changing_all_and_choosing(
    p: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = noise(24, 3, 8, 8, dtype=torch.float64).requires_grad_()
    statistics = {adaptive.P: torch.tensor(p, dtype=torch.float64)}

    def made() -> tuple[Tensor, ...]:
        shown = augmented("adaptive", images, statistics=statistics)
        (slope,) = torch.autograd.grad(shown.square().sum(), images, create_graph=True)
        return shown, slope, *torch.autograd.grad(slope.square().sum(), images)

    chosen = made()
    monkeypatch.setattr(adaptive, "_host_sees", lambda _: False)
    for one, other in zip(chosen, made(), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("p", [0.2, 0.7])
def test_each_policy_changes_a_share_p_of_the_images_independently(p: float) -> None:
    number = 6000
    images = torch.ones(number, 1, 4, 4)  # too small to be shifted: color and cutout leave traces of their own
    statistics = {adaptive.P: torch.tensor(p, dtype=torch.float64)}
    shown = augmented("adaptive", images, statistics=statistics, policies=("color", "cutout"))
    holed, coloured = (shown == policies.EMPTY).flatten(1).any(1), shown.flatten(1).amax(1) != 1
    for changed, expected in ((coloured, p), (holed, p), (coloured & holed, p * p)):
        tolerance = 4 * math.sqrt(expected * (1 - expected) / number)
        assert changed.float().mean().item() == pytest.approx(expected, abs=tolerance)


def test_probability_moves_at_every_fourth_step_by_the_images_of_the_four() -> None:
    spec = specs.AdaptiveAugment(target=0.6, speed_images=1000)
    statistics: dict[str, Tensor] = {}
    sure, unsure = [1.0, 2.0, 3.0, 0.5, 9.0], [1.0, -2.0, 3.0, -0.5, 9.0]  # mean signs 1 and 0.2
    moves = []
    for logits in [sure] * 8 + [unsure] * 4 + [sure, sure, unsure, unsure] + [sure, sure, sure, unsure]:
        before = statistics[adaptive.P].item() if statistics else 0.0
        moves.append(learned(spec, [logits], statistics) - before)
    # r_t is 1, 1 and 0.2 over the first intervals, 0.6 over the fourth, 0.8 over the last; 20 images of 1000 are 0.02.
    expected = [0.02 if number in {3, 7, 19} else -0.02 if number == 11 else 0.0 for number in range(20)]
    assert moves == pytest.approx(expected, abs=1e-12)


def test_zero_and_nan_logits_are_of_no_sign_and_infinite_ones_of_theirs() -> None:
    spec = specs.AdaptiveAugment(target=0.5, speed_images=1000)
    statistics: dict[str, Tensor] = {}
    adaptive.update(spec, torch.tensor([0.0, math.nan, math.inf, -math.inf, 2.0]), statistics)
    assert statistics[adaptive.SIGNS].item() == 1.0
    assert all(tensor.isfinite() for tensor in statistics.values())


def test_batches_weigh_by_their_images() -> None:
    """28 images of sign +1 and 4 of -1: the mean sign is 0.75 over the images, though 0 over the batches."""
    spec = specs.AdaptiveAugment(target=0.6, speed_images=1000)
    assert learned(spec, [[1.0] * 14, [1.0] * 14, [-1.0] * 2, [-1.0] * 2]) == pytest.approx(0.032)


@given(
    signs=st.lists(st.lists(st.sampled_from([-1.0, 0.0, 1.0]), min_size=1, max_size=8), max_size=40),
    target=st.floats(0.01, 1.0),
)
@settings(max_examples=30, deadline=None)
def test_probability_follows_the_printed_law(signs: list[list[float]], target: float) -> None:
    spec, p = specs.AdaptiveAugment(target=target, speed_images=1000), 0.0
    for start in range(0, len(signs) - 3, 4):
        interval = [sign for batch in signs[start : start + 4] for sign in batch]
        error = sum(interval) / len(interval) - target
        p = min(1.0, max(0.0, p + (error > 0) * len(interval) / 1000 - (error < 0) * len(interval) / 1000))
    statistics = {adaptive.P: torch.zeros((), dtype=torch.float64)}
    assert learned(spec, signs, statistics) == pytest.approx(p, abs=1e-12)


def test_probability_goes_from_nought_to_one_in_speed_images_and_stays_within() -> None:
    spec = specs.AdaptiveAugment(speed_images=1000)
    statistics: dict[str, Tensor] = {}
    assert learned(spec, [[-1.0] * 25] * 4, statistics) == 0.0
    assert learned(spec, [[1.0] * 25] * 36, statistics) == pytest.approx(0.9)
    assert learned(spec, [[1.0] * 25] * 4, statistics) == pytest.approx(1.0)
    assert learned(spec, [[1.0] * 25] * 8, statistics) == 1.0
    assert learned(spec, [[-1.0] * 25] * 40, statistics) == pytest.approx(0.0, abs=1e-12)


def test_slowest_speed_is_not_lost_in_rounding() -> None:
    spec = specs.AdaptiveAugment(speed_images=10**9)
    statistics = {adaptive.P: torch.tensor(0.9, dtype=torch.float64)}
    moved = learned(spec, [[1.0, 1.0]] * 400, statistics) - 0.9
    assert moved == pytest.approx(800 / 10**9, rel=1e-6)


def test_loop_settles_where_the_discriminator_overfits_as_much_as_asked() -> None:
    """A discriminator whose logits are above nought with probability 1 - p/2, so r_t = 1 - p: at 0.6 with p = 0.4."""
    spec = specs.AdaptiveAugment(target=0.6, speed_images=8000)
    statistics, drawn, path = {adaptive.P: torch.zeros((), dtype=torch.float64)}, rng(), []
    for _ in range(1000):
        path.append(statistics[adaptive.P].item())
        logits = 1 - path[-1] / 2 - torch.rand(32, generator=drawn)
        adaptive.update(spec, logits, statistics)
    late = torch.tensor(path[400:])
    assert late.mean().item() == pytest.approx(0.4, abs=0.03)
    assert late.min().item() > 0.2
    assert late.max().item() < 0.6


def test_one_that_never_overfits_is_shown_images_as_they_are() -> None:
    spec, drawn = specs.AdaptiveAugment(speed_images=1000), rng()
    assert learned(spec, [torch.randn(32, generator=drawn).tolist() for _ in range(200)]) == 0.0


@given(cut=st.integers(0, 23), seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_probability_goes_on_from_saved_memory_as_if_never_stopped(cut: int, seed: int) -> None:
    spec = specs.AdaptiveAugment(target=0.3, speed_images=1000)
    batches = (torch.randn(24, 8, generator=rng(seed)) + 0.4).tolist()
    whole: dict[str, Tensor] = {}
    learned(spec, batches, whole)
    statistics: dict[str, Tensor] = {}
    for logits in batches[:cut]:
        learned(spec, [logits], statistics)
    resumed = load(save(statistics))
    learned(spec, batches[cut:], resumed)
    assert set(resumed) == set(whole)
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)


def test_memory_is_small_named_for_its_kind_and_never_written_to() -> None:
    statistics: dict[str, Tensor] = {}
    adaptive.update(specs.AdaptiveAugment(), torch.ones(4, requires_grad=True), statistics)
    assert all(name.startswith("adaptive.") and tensor.shape == () for name, tensor in statistics.items())
    assert not any(tensor.requires_grad for tensor in statistics.values())
    kept = dict(statistics)
    values = {name: tensor.clone() for name, tensor in kept.items()}
    adaptive.update(specs.AdaptiveAugment(), torch.ones(4), statistics)
    assert all(torch.equal(kept[name], values[name]) for name in kept)
    assert statistics[adaptive.STEPS].item() == 2
