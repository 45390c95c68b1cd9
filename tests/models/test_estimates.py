"""Estimates: exact where they promise it, cheap always."""

from collections.abc import Callable
from typing import Any

import pytest

from models import architectures, estimates, presets
from models.spec import TrainingSpec


@pytest.mark.parametrize(
    "changes", [{}, {"preset": "article"}, {"architecture": {"kind": "dcgan", "channels": 8}}], ids=str
)
def test_parameter_counts_are_the_networks(changes: dict[str, Any]) -> None:
    spec = presets.resolve(changes)
    networks = architectures.build(spec)
    found = estimates.estimate(spec)
    assert found.generator_parameters == sum(weight.numel() for weight in networks.generator.parameters())
    assert found.discriminator_parameters == sum(weight.numel() for weight in networks.discriminator.parameters())


def test_flops_of_a_plain_pair_are_those_worked_out_by_hand(tiny: Callable[..., TrainingSpec]) -> None:
    spec = tiny(
        architecture={
            "latent_dim": 10,
            "generator_widths": [20],
            "discriminator_widths": [30],
            "generator_norm": "none",
        },
        loss={"kind": "non_saturating"},
        penalties=[],
    )
    generator, discriminator = 2 * (10 * 20 + 20 * 64), 2 * (64 * 30 + 30)
    assert estimates.estimate(spec).flops_per_image == 3 * generator + 8 * discriminator


def test_lazier_penalties_and_more_discriminator_steps_cost_less_an_image(tiny: Callable[..., TrainingSpec]) -> None:
    eager, lazy = (
        estimates.estimate(tiny(penalties=[{"kind": "r1", "every_steps": steps}])).flops_per_image for steps in (1, 16)
    )
    assert lazy < eager
    assert estimates.estimate(tiny(discriminator_steps=5)).flops_per_image < estimates.estimate(tiny()).flops_per_image


def test_networks_too_large_for_any_machine_are_estimated_without_being_made(
    tiny: Callable[..., TrainingSpec],
) -> None:
    widths = [8192] * 16
    found = estimates.estimate(tiny(architecture={"generator_widths": widths, "discriminator_widths": widths}))
    assert found.generator_parameters > 10**9
    assert found.memory_bytes > 2 * 10**10
