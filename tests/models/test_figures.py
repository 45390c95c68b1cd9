"""The figures of a run: which checkpoint is the better one, and that every figure has a title."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from models import penalties, training
from models.specs import TrainingSpec, figures

RISING = [
    {"fid": 100.0},
    {"fid": 9.0, "precision": 0.1},
    {"fid": 8.0, "precision": 0.0},
]
MODES = [
    {"modes": 7.0, "high_quality": 0.99, "kl": 0.0},
    {"modes": 8.0, "high_quality": 0.90, "kl": 0.1},
    {"modes": 8.0, "high_quality": 0.95, "kl": 0.2},
    {"modes": 8.0, "high_quality": 0.95, "kl": 0.1},
]


@pytest.mark.parametrize("better", [RISING, MODES], ids=["fid", "modes"])
def test_the_better_quality_has_the_lower_rank(better: list[dict[str, float]]) -> None:
    for worse, good in itertools.pairwise(better):
        assert figures.rank(good) < figures.rank(worse)


def test_the_headline_is_kid_or_fid_or_the_modes() -> None:
    for measured, shown in (({"precision": 1.0, "kid": 0.1, "fid": 9.0}, "kid"), ({"kl": 0.1, "modes": 8.0}, "modes")):
        found = figures.headline(measured)
        assert found is not None
        assert found.name == shown
    assert figures.headline({"precision": 1.0}) is None


def test_what_was_not_measured_ranks_last() -> None:
    assert figures.rank({"fid": 1e300}) < figures.rank({"precision": 1.0})


VAE: dict[str, Any] = {
    "architecture": {"kind": "vae", "backbone": {"kind": "mlp", "generator_widths": [8], "discriminator_widths": [8]}},
    "loss": {"kind": "elbo"},
    "penalties": [],
}


@pytest.mark.parametrize("changes", [{}, VAE], ids=["adversarial", "vae"])
def test_every_series_of_a_run_has_a_title(
    tiny: Callable[..., TrainingSpec], events: Callable[..., list[training.Event]], changes: dict[str, Any]
) -> None:
    ticks = [event for event in events(tiny(**changes)) if isinstance(event, training.Tick)]
    found = {name for tick in ticks for name in tick.values}
    assert {"loss_g", "lr_g", "lr_d", "diversity", "images_per_second"} <= found
    assert found - penalties.REGISTRY.keys() <= figures.SERIES.keys()
