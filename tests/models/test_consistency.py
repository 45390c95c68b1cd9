"""The consistency penalty, and how it moves images."""

from itertools import product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from models import penalties
from models.penalties.consistency import moved
from models.specs import ConsistencyPenalty
from tests.models.test_penalties import NO_DEADLINE, context, linear, term


def test_consistency_is_the_mean_squared_change_of_both_sides_logits() -> None:
    """Moved reals count for 1 and 3 more, moved fakes for 2 less and 2 more: (1 + 9) / 2 + (4 + 4) / 2 = 9."""
    images, real, fake = torch.zeros(2, 1, 4, 4), torch.tensor([0.5, -0.5]), torch.tensor([-4.0, 4.0])
    moved_logits = iter([real + torch.tensor([1.0, 3.0]), fake + torch.tensor([-2.0, 2.0])])
    case = penalties.PenaltyContext(images, images, real, fake, lambda _: next(moved_logits), torch.Generator(), {})
    assert term(ConsistencyPenalty(weight=10.0), case).item() == pytest.approx(10 * 9)


def test_consistency_asks_nothing_of_a_discriminator_that_shifts_do_not_change() -> None:
    """A shift of a constant image is the image itself."""
    real, fake = torch.full((4, 1, 5, 5), 0.5), torch.full((4, 1, 5, 5), -0.5)
    assert term(ConsistencyPenalty(), context(linear(torch.randn(25)), real, fake)).item() == pytest.approx(
        0.0, abs=1e-10
    )


def test_consistency_teaches_both_the_moved_and_the_unmoved_judgement() -> None:
    weight = torch.randn(25, dtype=torch.float64, requires_grad=True)
    real, fake = torch.randn(2, 4, 1, 5, 5, dtype=torch.float64)
    spec = ConsistencyPenalty(weight=1.0)
    (gradient,) = torch.autograd.grad(term(spec, context(linear(weight), real, fake, seed=3)), weight)
    rng = torch.Generator().manual_seed(3)
    expected = torch.zeros(25, dtype=torch.float64)
    for images in (real, fake):
        difference = (moved(spec, images, rng) - images).flatten(1)
        expected += 2 * (difference @ weight.detach())[:, None].mul(difference).mean(0)
    torch.testing.assert_close(gradient, expected)


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize(("height", "width", "shift"), [(6, 5, 2), (5, 7, 3), (28, 28, 2), (3, 3, 1)])
def test_every_moved_image_is_a_window_of_its_reflected_self(flip: bool, height: int, width: int, shift: int) -> None:
    images = torch.randn(60, 3, height, width)
    found = moved(ConsistencyPenalty(shift_pixels=shift, flip=flip), images, torch.Generator().manual_seed(0))
    padded = functional.pad(images, (shift,) * 4, mode="reflect")
    places: set[tuple[int, int, bool]] = set()
    for index, image in enumerate(found):
        fits = [
            (down, right, mirrored)
            for down, right in product(range(2 * shift + 1), repeat=2)
            for mirrored in (False, True)
            for window in (padded[index, :, down : down + height, right : right + width],)
            if torch.equal(image, window.flip(2) if mirrored else window)
        ]
        assert fits, f"image {index} is no window of itself"
        places.add(fits[0])
    assert {down for down, _, _ in places} == set(range(2 * shift + 1)), "each shift down occurs"
    assert {right for _, right, _ in places} == set(range(2 * shift + 1)), "each shift sideways occurs"
    assert {mirrored for _, _, mirrored in places} == ({False, True} if flip else {False})


@NO_DEADLINE
@given(length=st.integers(1, 6), shift=st.integers(1, 64), seed=st.integers(0, 2**32))
def test_shifts_larger_than_the_image_stay_inside_it(length: int, shift: int, seed: int) -> None:
    images = torch.arange(float(3 * length)).view(3, 1, 1, length)
    found = moved(ConsistencyPenalty(shift_pixels=shift), images, torch.Generator().manual_seed(seed))
    assert found.shape == images.shape
    for before, after in zip(images, found, strict=True):
        assert set(after.flatten().tolist()) <= set(before.flatten().tolist())
        steps = after.flatten().diff().abs()
        assert ((steps == 1) | (length == 1)).all(), "neighbours stay neighbours"
