"""Each change of an image, against images worked out by hand."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from models.augment import policies
from tests.models.test_augment import POLICIES, each, noise


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
