"""Augmentations: what they draw, and the properties that all share."""

import math
from collections.abc import Callable, Mapping
from typing import Any, get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from models import augment, specs
from models.augment import adaptive, policies
from models.specs.augment import Policy

POLICIES: tuple[Policy, ...] = get_args(Policy)
JUDGED = ("diffaugment", "adaptive")
ALWAYS = {adaptive.P: torch.tensor(1.0, dtype=torch.float64)}


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.rand(shape, generator=rng(99), dtype=dtype) * 2 - 1


def each(*values: float) -> Tensor:
    """Return a draw for each image, N111."""
    return torch.tensor(values).view(-1, 1, 1, 1)


def spec_of(kind: str, **fields: Any) -> Any:
    classes = {"diffaugment": specs.DiffAugment, "adaptive": specs.AdaptiveAugment}
    return classes[kind](**fields)


def augmented(
    kind: str, images: Tensor, *, seed: int = 0, statistics: Mapping[str, Tensor] = ALWAYS, **fields: Any
) -> Tensor:
    """Return the images shown to the discriminator. Adaptive augmentation has probability 1 without `statistics`."""
    judge = augment.REGISTRY[kind].shown
    assert judge is not None
    return judge(spec_of(kind, **fields), images, rng(seed), statistics)


# Real images


def test_flip_mirrors_about_half_of_the_real_images_and_leaves_the_others() -> None:
    images = noise(4000, 1, 2, 3)
    shown = augment.REGISTRY["flip"].data(specs.FlipAugment(), images, rng())
    mirrored = (shown == images.flip(3)).flatten(1).all(1)
    assert torch.equal(mirrored, ~(shown == images).flatten(1).all(1))
    assert mirrored.float().mean().item() == pytest.approx(0.5, abs=4 * 0.5 / math.sqrt(4000))


@pytest.mark.parametrize("kind", JUDGED)
def test_real_images_are_mirrored_beforehand_only_where_asked(kind: str) -> None:
    images, data = noise(64, 1, 2, 3), augment.REGISTRY[kind].data
    mirrored = augment.REGISTRY["flip"].data(specs.FlipAugment(), images, rng(3))
    assert torch.equal(data(spec_of(kind, flip=True), images, rng(3)), mirrored)
    assert data(spec_of(kind), images, rng(3)) is images


def test_none_leaves_images_alone_and_neither_it_nor_flip_changes_what_is_judged() -> None:
    images = noise(8, 1, 2, 3)
    assert augment.REGISTRY["none"].data(specs.NoAugment(), images, rng()) is images
    assert augment.REGISTRY["none"].shown is None
    assert augment.REGISTRY["flip"].shown is None
    assert [kind for kind, entry in augment.REGISTRY.items() if entry.update] == ["adaptive"]


# What is drawn


def test_colour_draws_fill_their_ranges_and_no_more() -> None:
    images = noise(1, 3, 4, 4).expand(4000, -1, -1, -1)
    shown = augmented("diffaugment", images, policies=("color",))
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
    shown = augmented("diffaugment", images, seed=5, policies=("color",))
    drawn = rng(5)
    shift, factor = torch.rand(3, 1, 1, 1, generator=drawn) - 0.5, torch.rand(3, 1, 1, 1, generator=drawn) + 0.5
    torch.testing.assert_close(shown, policies.contrast(images + shift, factor))


@pytest.mark.parametrize(("height", "width"), [(8, 8), (28, 28), (16, 24), (7, 7)])
def test_shifts_reach_an_eighth_of_the_size_each_way_equally_often(height: int, width: int) -> None:
    number = 3000
    images = torch.zeros(number, 1, height, width)
    images[:, :, height // 2, width // 2] = 1.0
    shown = augmented("diffaugment", images, policies=("translation",)).flatten(1)
    places = shown.argmax(1)
    assert torch.equal(shown.sum(1), torch.ones(number))
    for offsets, size in ((places // width - height // 2, height), (places % width - width // 2, width)):
        values, counts = offsets.unique(return_counts=True)
        assert values.tolist() == list(range(-(size // 8), size // 8 + 1))
        expected = number / len(values)
        assert (counts - expected).abs().max().item() <= 5 * math.sqrt(expected)


@pytest.mark.parametrize(("height", "width"), [(8, 8), (28, 28), (6, 12), (7, 5)])
def test_hole_of_half_the_size_is_centred_anywhere_and_clipped_at_the_border(height: int, width: int) -> None:
    shown = augmented("diffaugment", torch.ones(4000, 1, height, width), policies=("cutout",))[:, 0]
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
    """A hole cut first is moved and brightened. A hole cut last is empty."""
    images = torch.ones(64, 1, 8, 8)
    last = augmented("diffaugment", images, policies=("color", "cutout"))
    first = augmented("diffaugment", images, policies=("cutout", "color"))
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
    statistics = {adaptive.P: torch.tensor(0.5)}
    before = images.clone()
    shown = augmented(kind, images, seed=seed, statistics=statistics)
    assert torch.equal(augmented(kind, images, seed=seed, statistics=statistics), shown)
    assert torch.equal(images, before)
    assert (shown.shape, shown.dtype) == (images.shape, images.dtype)
    assert shown.isfinite().all()


@pytest.mark.parametrize("kind", JUDGED)
def test_other_chance_shows_other_images_and_the_processes_own_is_not_used(kind: str) -> None:
    images = noise(8, 3, 8, 8)
    torch.manual_seed(0)
    state = torch.get_rng_state()
    assert not torch.equal(augmented(kind, images, seed=1), augmented(kind, images, seed=2))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("policy", POLICIES)
def test_equal_images_of_a_batch_are_changed_each_in_its_own_way(policy: Policy) -> None:
    shown = augmented("diffaugment", noise(1, 3, 16, 16).expand(8, -1, -1, -1), policies=(policy,))
    assert len(shown.flatten(1).unique(dim=0)) > 1


@pytest.mark.parametrize("kind", JUDGED)
@pytest.mark.parametrize("policy", POLICIES)
def test_gradients_reach_the_images_and_can_be_differentiated_again(kind: str, policy: Policy) -> None:
    images = noise(2, 2, 8, 4, dtype=torch.float64).requires_grad_()

    def changed(images: Tensor) -> Tensor:
        return augmented(kind, images, statistics={adaptive.P: torch.tensor(0.7)}, policies=(policy,)).sin()

    assert torch.autograd.gradcheck(changed, images, fast_mode=True)
    assert torch.autograd.gradgradcheck(changed, images, fast_mode=True)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_layout_in_memory_makes_no_difference(memory_format: torch.memory_format) -> None:
    images = noise(4, 3, 16, 16)
    shown = augmented("diffaugment", images.to(memory_format=memory_format))
    torch.testing.assert_close(shown, augmented("diffaugment", images))


@pytest.mark.parametrize("kind", JUDGED)
def test_gradient_of_a_shift_or_a_hole_is_nought_where_the_image_is_not_shown(kind: str) -> None:
    images = noise(16, 1, 8, 8).requires_grad_()
    shown = augmented(kind, images, policies=("translation", "cutout"))
    (gradient,) = torch.autograd.grad(shown.sum(), images)
    assert set(gradient.unique().tolist()) == {0.0, 1.0}
    torch.testing.assert_close((gradient * images).sum((1, 2, 3)), shown.sum((1, 2, 3)))


def test_r1_teaches_through_augmented_images() -> None:
    """D(T(x)) with D(y) = w (y, y) / 2: dD/dx is w T'T x, and the penalty's slope in w is w |T'T x|^2."""
    weight = torch.tensor(3.0, requires_grad=True)
    images = noise(4, 1, 8, 8).requires_grad_()
    shown = augmented("diffaugment", images, policies=("translation", "cutout"))
    logits = weight * shown.square().flatten(1).sum(1) / 2
    (slope,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    (gradient,) = torch.autograd.grad(slope.square().flatten(1).sum(1).mean() / 2, weight)
    torch.testing.assert_close(gradient, (3.0 * shown.square().flatten(1).sum(1)).mean().detach())


@pytest.mark.parametrize("kind", JUDGED)
def test_autocast_around_it_loses_no_precision(kind: str) -> None:
    images = noise(4, 3, 8, 8)
    with torch.autocast("cpu", torch.bfloat16):
        shown = augmented(kind, images)
    assert torch.equal(shown, augmented(kind, images))


class NoWaiting(TorchDispatchMode):
    """Refuses operations that would make the host wait for a device."""

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
def test_host_never_waits_for_the_device(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adaptive, "_host_sees", lambda _: False)
    entry, images, logits, drawn = augment.REGISTRY[kind], noise(4, 3, 8, 8), noise(4), rng()
    statistics: dict[str, Tensor] = {}
    spec = {"none": specs.NoAugment, "flip": specs.FlipAugment}.get(kind, lambda: spec_of(kind, flip=True))()
    with NoWaiting():
        for _ in range(5):
            shown = entry.data(spec, images, drawn)
            if entry.shown is not None:
                shown = entry.shown(spec, shown, drawn, statistics)
            if entry.update is not None:
                entry.update(spec, logits, statistics)
    assert shown.shape == images.shape
