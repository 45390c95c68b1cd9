"""The moving average."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from models.specs import Ema
from models.training import ema

NO_RAMP = Ema(half_life_images=1000, ramp_up=10)


@given(step_images=st.integers(1, 500))
def test_after_one_half_life_half_of_the_old_weights_is_left(step_images: int) -> None:
    keep = ema.keep_share(NO_RAMP, images_seen=10**6, step_images=step_images)
    assert keep ** (1000 / step_images) == pytest.approx(0.5)


def test_early_on_the_half_life_is_a_share_of_the_images_seen() -> None:
    spec = Ema(half_life_images=10_000, ramp_up=0.05)
    assert ema.keep_share(spec, images_seen=2000, step_images=100) == pytest.approx(0.5)
    assert ema.keep_share(spec, images_seen=10**9, step_images=10_000) == pytest.approx(0.5)


def test_without_a_half_life_nothing_old_is_kept() -> None:
    assert ema.keep_share(Ema(half_life_images=0), images_seen=10**6, step_images=1) == 0


def test_parameters_and_batch_statistics_move_by_the_share_and_counters_are_copied() -> None:
    average, current = nn.BatchNorm1d(2), nn.BatchNorm1d(2)
    with torch.no_grad():
        current.weight.fill_(3.0)
    current.get_buffer("running_mean").fill_(8.0)
    current.get_buffer("num_batches_tracked").fill_(7)
    ema.update(average, current, keep=0.75)
    torch.testing.assert_close(average.weight.detach(), torch.tensor([1.5, 1.5]))
    assert average.get_buffer("running_mean").tolist() == [2.0, 2.0]
    assert average.get_buffer("num_batches_tracked").item() == 7
    assert current.get_buffer("running_mean").tolist() == [8.0, 8.0]
