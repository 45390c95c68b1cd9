"""Augmentations against images worked out by hand, and the control law of the adaptive one step by step."""

import math
from collections.abc import Callable, Mapping
from typing import Any, get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load, save
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from models import augment
from models import spec as specs
from models.augment import adaptive, policies
from models.spec.augment import Policy

POLICIES: tuple[Policy, ...] = get_args(Policy)
JUDGED = ("diffaugment", "adaptive")
ALWAYS = {adaptive.P: torch.tensor(1.0, dtype=torch.float64)}


def chance(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.rand(shape, generator=chance(99), dtype=dtype) * 2 - 1


def each(*values: float) -> Tensor:
    """A draw for each image, N111."""
    return torch.tensor(values).view(-1, 1, 1, 1)


def spec_of(kind: str, **fields: Any) -> Any:
    classes = {"diffaugment": specs.DiffAugment, "adaptive": specs.AdaptiveAugment}
    return classes[kind](**fields)


def judged(kind: str, images: Tensor, *, seed: int = 0, memory: Mapping[str, Tensor] = ALWAYS, **fields: Any) -> Tensor:
    """What the discriminator is shown; adaptive augmentation is certain unless `memory` says otherwise."""
    judge = augment.REGISTRY[kind].judged
    assert judge is not None
    return judge(spec_of(kind, **fields), images, chance(seed), memory)


# Real images


def test_flip_mirrors_about_half_of_the_real_images_and_leaves_the_others() -> None:
    images = noise(4000, 1, 2, 3)
    shown = augment.REGISTRY["flip"].data(specs.FlipAugment(), images, chance())
    mirrored = (shown == images.flip(3)).flatten(1).all(1)
    assert torch.equal(mirrored, ~(shown == images).flatten(1).all(1))
    assert mirrored.float().mean().item() == pytest.approx(0.5, abs=4 * 0.5 / math.sqrt(4000))


@pytest.mark.parametrize("kind", JUDGED)
def test_real_images_are_mirrored_beforehand_only_where_asked(kind: str) -> None:
    images, data = noise(64, 1, 2, 3), augment.REGISTRY[kind].data
    mirrored = augment.REGISTRY["flip"].data(specs.FlipAugment(), images, chance(3))
    assert torch.equal(data(spec_of(kind, flip=True), images, chance(3)), mirrored)
    assert data(spec_of(kind), images, chance(3)) is images


def test_none_leaves_images_alone_and_neither_it_nor_flip_changes_what_is_judged() -> None:
    images = noise(8, 1, 2, 3)
    assert augment.REGISTRY["none"].data(specs.NoAugment(), images, chance()) is images
    assert augment.REGISTRY["none"].judged is None
    assert augment.REGISTRY["flip"].judged is None
    assert [kind for kind, entry in augment.REGISTRY.items() if entry.learn] == ["adaptive"]


# Each change, by hand


def test_every_policy_that_a_spec_can_name_exists() -> None:
    assert set(policies.REGISTRY) == set(POLICIES)


def test_changes_of_zero_strength_change_nothing() -> None:
    images = noise(5, 3, 6, 7)
    zero, one = torch.zeros(5, 1, 1, 1), torch.ones(5, 1, 1, 1)
    assert torch.equal(policies.brighten(images, zero), images)
    torch.testing.assert_close(policies.saturate(images, one), images)
    torch.testing.assert_close(policies.contrast(images, one), images)
    assert torch.equal(policies.translate(images, zero.long(), zero.long()), images)
    assert torch.equal(policies.cut_out(images, zero.long(), zero.long(), size=(0, 0)), images)


def test_colours_change_as_worked_out_by_hand() -> None:
    # Two images of two channels and two pixels.
    images = torch.tensor([[[[0.0, 0.4]], [[0.2, 1.0]]], [[[-1.0, 0.0]], [[0.0, 1.0]]]])
    brighter = torch.tensor([[[[0.5, 0.9]], [[0.7, 1.5]]], [[[-1.25, -0.25]], [[-0.25, 0.75]]]])
    torch.testing.assert_close(policies.brighten(images, each(0.5, -0.25)), brighter)
    # The pixels' means are 0.1 and 0.7, and -0.5 and 0.5.
    duller = torch.tensor([[[[0.1, 0.7]], [[0.1, 0.7]]], [[[-1.5, -0.5]], [[0.5, 1.5]]]])
    torch.testing.assert_close(policies.saturate(images, each(0.0, 2.0)), duller)
    # The images' means are 0.4 and 0.
    flatter = torch.tensor([[[[0.2, 0.4]], [[0.3, 0.7]]], [[[-1.5, 0.0]], [[0.0, 1.5]]]])
    torch.testing.assert_close(policies.contrast(images, each(0.5, 1.5)), flatter)


@given(down=st.integers(-4, 4), right=st.integers(-5, 5))
def test_translated_image_is_a_slice_of_the_padded_one(down: int, right: int) -> None:
    images = noise(2, 3, 4, 5)
    still, moved = policies.translate(
        images, torch.tensor([0, down]).view(2, 1, 1, 1), torch.tensor([0, right]).view(2, 1, 1, 1)
    )
    padded = torch.nn.functional.pad(images[1], (5, 5, 5, 5), value=policies.EMPTY)
    assert torch.equal(still, images[0])
    assert torch.equal(moved, padded[:, 5 - down : 9 - down, 5 - right : 10 - right])


@given(top=st.integers(-3, 8), left=st.integers(-3, 8), height=st.integers(0, 4), width=st.integers(0, 4))
def test_hole_is_empty_and_all_else_is_untouched(top: int, left: int, height: int, width: int) -> None:
    images = noise(1, 2, 7, 6)
    expected = images.clone()
    expected[..., max(top, 0) : max(top + height, 0), max(left, 0) : max(left + width, 0)] = policies.EMPTY
    origin = torch.tensor(top).view(1, 1, 1, 1), torch.tensor(left).view(1, 1, 1, 1)
    assert torch.equal(policies.cut_out(images, *origin, size=(height, width)), expected)


# What is drawn


def test_colour_draws_fill_their_ranges_and_no_more() -> None:
    images = noise(1, 3, 4, 4).expand(4000, -1, -1, -1)
    shown = judged("diffaugment", images, policies=("color",))
    mean, shown_mean = images.mean((1, 2, 3)), shown.mean((1, 2, 3))  # Only brightness moves an image's mean,
    grey, shown_grey = images.mean(1).flatten(1).std(1), shown.mean(1).flatten(1).std(1)  # and saturation no grey.
    contrast = shown_grey / grey
    hue, shown_hue = (images[:, 0] - images[:, 1]).flatten(1).norm(dim=1), (shown[:, 0] - shown[:, 1]).flatten(1)
    saturation = shown_hue.norm(dim=1) / hue / contrast
    draws = {"brightness": shown_mean - mean, "contrast": contrast, "saturation": saturation}
    for name, (low, high) in {"brightness": (-0.5, 0.5), "contrast": (0.5, 1.5), "saturation": (0.0, 2.0)}.items():
        assert low - 1e-4 <= draws[name].min().item() < low + 0.01 * (high - low), name
        assert high + 1e-4 >= draws[name].max().item() > high - 0.01 * (high - low), name
        assert draws[name].mean().item() == pytest.approx((low + high) / 2, abs=0.02 * (high - low)), name
    assert torch.corrcoef(torch.stack(list(draws.values()))).triu(1).abs().max() < 0.06  # independent draws


def test_one_channel_is_brightened_and_contrasted_only() -> None:
    images = noise(3, 1, 4, 4)
    shown = judged("diffaugment", images, seed=5, policies=("color",))
    drawn = chance(5)
    shift, factor = torch.rand(3, 1, 1, 1, generator=drawn) - 0.5, torch.rand(3, 1, 1, 1, generator=drawn) + 0.5
    torch.testing.assert_close(shown, policies.contrast(images + shift, factor))


@pytest.mark.parametrize(("height", "width"), [(8, 8), (28, 28), (16, 24), (7, 7)])
def test_shifts_reach_an_eighth_of_the_size_each_way_equally_often(height: int, width: int) -> None:
    number = 3000
    images = torch.zeros(number, 1, height, width)
    images[:, :, height // 2, width // 2] = 1.0
    shown = judged("diffaugment", images, policies=("translation",)).flatten(1)
    places = shown.argmax(1)
    assert torch.equal(shown.sum(1), torch.ones(number))
    for offsets, size in ((places // width - height // 2, height), (places % width - width // 2, width)):
        values, counts = offsets.unique(return_counts=True)
        assert values.tolist() == list(range(-(size // 8), size // 8 + 1))
        expected = number / len(values)
        assert (counts - expected).abs().max().item() <= 5 * math.sqrt(expected)


@pytest.mark.parametrize(("height", "width"), [(8, 8), (28, 28), (6, 12), (7, 5)])
def test_hole_of_half_the_size_is_centred_anywhere_and_clipped_at_the_border(height: int, width: int) -> None:
    shown = judged("diffaugment", torch.ones(4000, 1, height, width), policies=("cutout",))[:, 0]
    holes = shown == policies.EMPTY
    assert torch.equal(shown, 1 - holes.float())
    spans = []
    for axis, side in ((2, height), (1, width)):
        lines = holes.any(axis)
        span = lines.sum(1)
        spans.append(span)
        first, last = lines.int().argmax(1), side - 1 - lines.int().flip(1).argmax(1)
        assert torch.equal(last - first + 1, span)  # in one piece
        size = side // 2
        assert span.max().item() == size
        for at_border in (first == 0, last == side - 1):
            assert span[at_border].min().item() == (size + 1) // 2  # clipped alike at both
        assert torch.equal(span < size, (span < size) & ((first == 0) | (last == side - 1)))
        assert first.min().item() == 0
        assert last.max().item() == side - 1
    assert torch.equal(holes.sum((1, 2)), spans[0] * spans[1])  # a rectangle


def test_policies_come_in_the_order_of_the_spec() -> None:
    """A hole cut first is moved about and brightened; cut last it is empty."""
    images = torch.ones(64, 1, 8, 8)
    last = judged("diffaugment", images, policies=("color", "cutout"))
    first = judged("diffaugment", images, policies=("cutout", "color"))
    assert (last == policies.EMPTY).flatten(1).any(1).all()
    assert not (first == policies.EMPTY).any()


# Laws of both


@pytest.mark.parametrize("kind", JUDGED)
@given(seed=st.integers(0, 2**32), channels=st.integers(1, 3), height=st.integers(1, 17), width=st.integers(1, 17))
@settings(max_examples=30, deadline=None)
def test_same_chance_shows_the_same_images_of_the_same_shape(
    kind: str, seed: int, channels: int, height: int, width: int
) -> None:
    images = noise(4, channels, height, width)
    memory = {adaptive.P: torch.tensor(0.5)}
    before = images.clone()
    shown = judged(kind, images, seed=seed, memory=memory)
    assert torch.equal(judged(kind, images, seed=seed, memory=memory), shown)
    assert torch.equal(images, before)
    assert (shown.shape, shown.dtype) == (images.shape, images.dtype)
    assert shown.isfinite().all()


@pytest.mark.parametrize("kind", JUDGED)
def test_other_chance_shows_other_images_and_the_processes_own_is_not_used(kind: str) -> None:
    images = noise(8, 3, 8, 8)
    torch.manual_seed(0)
    state = torch.get_rng_state()
    assert not torch.equal(judged(kind, images, seed=1), judged(kind, images, seed=2))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("policy", POLICIES)
def test_equal_images_of_a_batch_are_changed_each_in_its_own_way(policy: Policy) -> None:
    shown = judged("diffaugment", noise(1, 3, 16, 16).expand(8, -1, -1, -1), policies=(policy,))
    assert len(shown.flatten(1).unique(dim=0)) > 1


@pytest.mark.parametrize("kind", JUDGED)
@pytest.mark.parametrize("policy", POLICIES)
def test_gradients_reach_the_images_and_can_be_differentiated_again(kind: str, policy: Policy) -> None:
    images = noise(2, 2, 8, 4, dtype=torch.float64).requires_grad_()

    def shown(images: Tensor) -> Tensor:
        return judged(kind, images, memory={adaptive.P: torch.tensor(0.7)}, policies=(policy,)).sin()

    assert torch.autograd.gradcheck(shown, images, fast_mode=True)
    assert torch.autograd.gradgradcheck(shown, images, fast_mode=True)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_layout_in_memory_makes_no_difference(memory_format: torch.memory_format) -> None:
    images = noise(4, 3, 16, 16)
    shown = judged("diffaugment", images.to(memory_format=memory_format))
    torch.testing.assert_close(shown, judged("diffaugment", images))


@pytest.mark.parametrize("kind", JUDGED)
def test_gradient_of_a_shift_or_a_hole_is_nought_where_the_image_is_not_shown(kind: str) -> None:
    images = noise(16, 1, 8, 8).requires_grad_()
    shown = judged(kind, images, policies=("translation", "cutout"))
    (gradient,) = torch.autograd.grad(shown.sum(), images)
    assert set(gradient.unique().tolist()) == {0.0, 1.0}
    torch.testing.assert_close((gradient * images).sum((1, 2, 3)), shown.sum((1, 2, 3)))


def test_r1_teaches_through_augmented_images() -> None:
    """D(T(x)) with D(y) = w (y, y) / 2: dD/dx is w T'T x, and the penalty's slope in w is w |T'T x|^2."""
    weight = torch.tensor(3.0, requires_grad=True)
    images = noise(4, 1, 8, 8).requires_grad_()
    shown = judged("diffaugment", images, policies=("translation", "cutout"))
    logits = weight * shown.square().flatten(1).sum(1) / 2
    (slope,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    (gradient,) = torch.autograd.grad(slope.square().flatten(1).sum(1).mean() / 2, weight)
    torch.testing.assert_close(gradient, (3.0 * shown.square().flatten(1).sum(1)).mean().detach())


@pytest.mark.parametrize("kind", JUDGED)
def test_autocast_around_it_loses_no_precision(kind: str) -> None:
    images = noise(4, 3, 8, 8)
    with torch.autocast("cpu", torch.bfloat16):
        shown = judged(kind, images)
    assert torch.equal(shown, judged(kind, images))


class NoWaiting(TorchDispatchMode):
    """Refuses what would make the host wait for a device."""

    WAITS = frozenset(
        {"_local_scalar_dense", "nonzero", "is_nonzero", "equal", "masked_select", "_unique2", "_to_copy"}
    )

    def __torch_dispatch__(
        self,
        operation: Any,
        types: Any,
        arguments: tuple[Any, ...] = (),
        keywords: dict[str, Any] | None = None,
    ) -> Any:
        name = operation.overloadpacket.__name__
        is_copy_on_device = name == "_to_copy" and not (keywords or {}).get("device")
        assert name not in self.WAITS or is_copy_on_device, name
        return operation(*arguments, **(keywords or {}))


@pytest.mark.parametrize("wait", [lambda x: x.item(), lambda x: x.nonzero(), bool])
def test_the_watch_for_waiting_sees_it(wait: Callable[[Tensor], object]) -> None:
    with NoWaiting(), pytest.raises(AssertionError):
        wait(torch.ones(()))


@pytest.mark.parametrize("kind", sorted(augment.REGISTRY))
def test_host_never_waits_for_the_device(kind: str) -> None:
    entry, images, logits, drawn = augment.REGISTRY[kind], noise(4, 3, 8, 8), noise(4), chance()
    memory: dict[str, Tensor] = {}
    spec = {"none": specs.NoAugment, "flip": specs.FlipAugment}.get(kind, lambda: spec_of(kind, flip=True))()
    with NoWaiting():
        for _ in range(5):
            shown = entry.data(spec, images, drawn)
            if entry.judged is not None:
                shown = entry.judged(spec, shown, drawn, memory)
            if entry.learn is not None:
                entry.learn(spec, logits, memory, 4)
    assert shown.shape == images.shape


# The adaptive probability


def learned(spec: specs.AdaptiveAugment, batches: list[list[float]], memory: dict[str, Tensor] | None = None) -> float:
    """p after a step with each batch of logits."""
    memory = {} if memory is None else memory
    for logits in batches:
        adaptive.learn(spec, torch.tensor(logits), memory, len(logits))
    return memory[adaptive.P].item()


def test_probability_of_nought_and_an_empty_memory_show_the_images_themselves() -> None:
    images = noise(16, 3, 8, 8)
    for memory in ({}, {adaptive.P: torch.zeros((), dtype=torch.float64)}):
        assert torch.equal(judged("adaptive", images, memory=memory), images)


def test_probability_of_one_changes_every_image() -> None:
    images = noise(500, 3, 8, 8)
    shown = judged("adaptive", images, policies=("color",))
    assert (shown != images).flatten(1).any(1).all()


@pytest.mark.parametrize("p", [0.2, 0.7])
def test_each_policy_changes_a_share_p_of_the_images_independently(p: float) -> None:
    number = 6000
    images = torch.ones(number, 1, 4, 4)  # too small to be shifted: color and cutout leave traces of their own
    memory = {adaptive.P: torch.tensor(p, dtype=torch.float64)}
    shown = judged("adaptive", images, memory=memory, policies=("color", "cutout"))
    holed, coloured = (shown == policies.EMPTY).flatten(1).any(1), shown.flatten(1).amax(1) != 1
    for changed, expected in ((coloured, p), (holed, p), (coloured & holed, p * p)):
        tolerance = 4 * math.sqrt(expected * (1 - expected) / number)
        assert changed.float().mean().item() == pytest.approx(expected, abs=tolerance)


def test_probability_moves_at_every_fourth_step_by_the_images_of_the_four() -> None:
    spec = specs.AdaptiveAugment(target=0.6, speed_images=1000)
    memory: dict[str, Tensor] = {}
    sure, unsure = [1.0, 2.0, 3.0, 0.5, 9.0], [1.0, -2.0, 3.0, -0.5, 9.0]  # mean signs 1 and 0.2
    moves = []
    for logits in [sure] * 8 + [unsure] * 4 + [sure, sure, unsure, unsure] + [sure, sure, sure, unsure]:
        before = memory[adaptive.P].item() if memory else 0.0
        moves.append(learned(spec, [logits], memory) - before)
    # r_t is 1, 1 and 0.2 over the first intervals, 0.6 over the fourth, 0.8 over the last; 20 images of 1000 are 0.02.
    expected = [0.02 if number in {3, 7, 19} else -0.02 if number == 11 else 0.0 for number in range(20)]
    assert moves == pytest.approx(expected, abs=1e-12)


def test_zero_and_nan_logits_are_of_no_sign_and_infinite_ones_of_theirs() -> None:
    spec = specs.AdaptiveAugment(target=0.5, speed_images=1000)
    memory: dict[str, Tensor] = {}
    adaptive.learn(spec, torch.tensor([0.0, math.nan, math.inf, -math.inf, 2.0]), memory, 5)
    assert memory[adaptive.SIGNS].item() == 1.0
    assert all(tensor.isfinite() for tensor in memory.values())


def test_batches_weigh_by_their_images() -> None:
    """28 images of sign +1 and 4 of -1: the mean sign is 0.75 over the images, though 0 over the batches."""
    spec = specs.AdaptiveAugment(target=0.6, speed_images=1000)
    assert learned(spec, [[1.0] * 14, [1.0] * 14, [-1.0] * 2, [-1.0] * 2]) == pytest.approx(0.032)


def test_logits_of_a_part_speak_for_the_images_of_the_batch() -> None:
    spec = specs.AdaptiveAugment(target=0.6, speed_images=1000)
    memory: dict[str, Tensor] = {}
    for _ in range(4):
        adaptive.learn(spec, torch.ones(2), memory, 10)
    assert memory[adaptive.P].item() == pytest.approx(0.04)


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
    memory = {adaptive.P: torch.zeros((), dtype=torch.float64)}
    assert learned(spec, signs, memory) == pytest.approx(p, abs=1e-12)


def test_probability_goes_from_nought_to_one_in_speed_images_and_stays_within() -> None:
    spec = specs.AdaptiveAugment(speed_images=1000)
    memory: dict[str, Tensor] = {}
    assert learned(spec, [[-1.0] * 25] * 4, memory) == 0.0
    assert learned(spec, [[1.0] * 25] * 36, memory) == pytest.approx(0.9)
    assert learned(spec, [[1.0] * 25] * 4, memory) == pytest.approx(1.0)
    assert learned(spec, [[1.0] * 25] * 8, memory) == 1.0
    assert learned(spec, [[-1.0] * 25] * 40, memory) == pytest.approx(0.0, abs=1e-12)


def test_slowest_speed_is_not_lost_in_rounding() -> None:
    spec = specs.AdaptiveAugment(speed_images=10**9)
    memory = {adaptive.P: torch.tensor(0.9, dtype=torch.float64)}
    moved = learned(spec, [[1.0, 1.0]] * 400, memory) - 0.9
    assert moved == pytest.approx(800 / 10**9, rel=1e-6)


def test_loop_settles_where_the_discriminator_overfits_as_much_as_asked() -> None:
    """A discriminator whose logits are above nought with probability 1 - p/2, so r_t = 1 - p: at 0.6 with p = 0.4."""
    spec = specs.AdaptiveAugment(target=0.6, speed_images=8000)
    memory, drawn, path = {adaptive.P: torch.zeros((), dtype=torch.float64)}, chance(), []
    for _ in range(1000):
        path.append(memory[adaptive.P].item())
        logits = 1 - path[-1] / 2 - torch.rand(32, generator=drawn)
        adaptive.learn(spec, logits, memory, 32)
    late = torch.tensor(path[400:])
    assert late.mean().item() == pytest.approx(0.4, abs=0.03)
    assert late.min().item() > 0.2
    assert late.max().item() < 0.6


def test_one_that_never_overfits_is_shown_images_as_they_are() -> None:
    spec, drawn = specs.AdaptiveAugment(speed_images=1000), chance()
    assert learned(spec, [torch.randn(32, generator=drawn).tolist() for _ in range(200)]) == 0.0


@given(cut=st.integers(0, 23), seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_probability_goes_on_from_saved_memory_as_if_never_stopped(cut: int, seed: int) -> None:
    spec = specs.AdaptiveAugment(target=0.3, speed_images=1000)
    batches = (torch.randn(24, 8, generator=chance(seed)) + 0.4).tolist()
    whole: dict[str, Tensor] = {}
    learned(spec, batches, whole)
    memory: dict[str, Tensor] = {}
    for logits in batches[:cut]:
        learned(spec, [logits], memory)
    resumed = load(save(memory))
    learned(spec, batches[cut:], resumed)
    assert set(resumed) == set(whole)
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)


def test_memory_is_small_named_for_its_kind_and_never_written_to() -> None:
    memory: dict[str, Tensor] = {}
    adaptive.learn(specs.AdaptiveAugment(), torch.ones(4, requires_grad=True), memory, 4)
    assert all(name.startswith("adaptive.") and tensor.shape == () for name, tensor in memory.items())
    assert not any(tensor.requires_grad for tensor in memory.values())
    kept = dict(memory)
    values = {name: tensor.clone() for name, tensor in kept.items()}
    adaptive.learn(specs.AdaptiveAugment(), torch.ones(4), memory, 4)
    assert all(torch.equal(kept[name], values[name]) for name in kept)
    assert memory[adaptive.STEPS].item() == 2
