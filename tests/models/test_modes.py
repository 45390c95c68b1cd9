"""Modes, counted where they are known: points of the plane, and stacks of garments."""

import math
from pathlib import Path

import pytest
import torch

from models.data import points
from models.evaluators.modes import of_points, of_stacked_classes


@pytest.mark.parametrize("gaussians", [points.RING, points.GRID], ids=["ring", "grid"])
def test_the_data_cover_all_modes_evenly_and_lie_within_three_deviations_as_often_as_gaussians_do(
    gaussians: points.Gaussians,
) -> None:
    test = gaussians.load(folder=Path("/nonexistent"), split="holdout")
    figures = of_points(torch.tensor(test.images_NCHW), gaussians)
    assert figures["modes"] == len(gaussians.centres)
    assert figures["high_quality"] == pytest.approx(1 - math.exp(-4.5), abs=0.004)
    assert 0 <= figures["kl"] < 1e-4


def test_points_count_within_three_deviations_of_the_nearest_mode_only() -> None:
    """Three deviations of the grid are 0.03; its neighbouring modes are 0.4 apart."""
    offsets = torch.tensor([[0.0299, 0.0], [0.0, -0.0299], [0.022, 0.022], [0.0301, 0.0]])
    near = torch.tensor(points.GRID.centres, dtype=torch.float32)[7] + offsets
    between = torch.tensor([[0.2, 0.2], [0.9, 0.9]])
    lone = torch.tensor(points.GRID.centres, dtype=torch.float32)[[24]]
    figures = of_points(torch.cat([near, between, lone])[:, :, None, None], points.GRID)
    # 0.022 each way is 0.0311 away: three of seven points count, two of them at mode 7.
    assert figures["modes"] == 2
    assert figures["high_quality"] == pytest.approx(3 / 7)
    assert figures["kl"] == pytest.approx(2 / 3 * math.log(2 / 3 * 25) + 1 / 3 * math.log(1 / 3 * 25))


def test_points_that_are_all_off_the_modes_score_worst_and_finite() -> None:
    figures = of_points(torch.zeros(10, 2, 1, 1), points.RING)
    assert figures == {"modes": 0, "high_quality": 0, "kl": pytest.approx(math.log(8))}


def test_stacked_modes_are_counted_and_compared_with_the_real_histogram() -> None:
    """Real channels: red 3/4 class 1 and 1/4 class 2, green all 0, blue all 9. Counts are one more than seen."""
    real = torch.tensor([[1, 0, 9]] * 300_000 + [[2, 0, 9]] * 100_000)
    alike = torch.tensor([[1, 0, 9]] * 3 + [[2, 0, 9]])
    assert of_stacked_classes(real, alike) == {"modes": 2, "kl": pytest.approx(0, abs=1e-4)}
    dropped = torch.tensor([[2, 0, 9]] * 5)
    assert of_stacked_classes(real, dropped) == {"modes": 1, "kl": pytest.approx(math.log(4), abs=1e-3)}
    invented = torch.tensor([[2, 5, 9]] * 5)
    figures = of_stacked_classes(real, invented)
    assert figures["modes"] == 1
    assert figures["kl"] == pytest.approx(math.log(4 * 400_010), abs=1e-3)


def test_uniform_stacks_cover_all_thousand_modes() -> None:
    numbers = torch.arange(1000)
    every = torch.stack([numbers // 100, numbers // 10 % 10, numbers % 10], dim=1)
    assert of_stacked_classes(every, every) == {"modes": 1000, "kl": pytest.approx(0, abs=1e-9)}
