"""Estimates: exact where they promise it, cheap always."""

from collections.abc import Callable
from typing import Any

import pytest

from models import architectures, presets
from models.specs import TrainingSpec
from models.training import estimates

# A discriminator 64 -> 30 -> 1 and a generator 10 -> 20 -> 64, and the operations of a forward pass of each.
PLAIN: dict[str, Any] = {"latent_dim": 10, "generator_widths": [20], "discriminator_widths": [30]}
PLAIN |= {"kind": "mlp", "generator_norm": "none"}
GENERATOR, DISCRIMINATOR = 2 * (10 * 20 + 20 * 64), 2 * (64 * 30 + 30)


@pytest.mark.parametrize("labels", [False, True])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"preset": "article"},
        {"preset": "vae"},
        {"preset": "vae", "architecture": {"backbone": {"kind": "dcgan", "channels": 8}}},
        {"architecture": {"kind": "dcgan", "channels": 8}},
        {"architecture": {"kind": "dcgan", "channels": 8, "discriminator_norm": "spectral"}},
        {"architecture": {"kind": "resnet", "channels": 8}},
        {"architecture": {"kind": "r3gan", "channels": 8}},
    ],
    ids=str,
)
def test_parameter_counts_are_the_networks(changes: dict[str, Any], labels: bool) -> None:
    spec = presets.resolve(changes | {"labels": labels})
    networks = architectures.build(spec)
    found = estimates.estimate(spec)
    generator = networks.pop("generator")
    (other,) = networks.values()
    assert found.generator_parameters == sum(weight.numel() for weight in generator.parameters())
    assert found.discriminator_parameters == sum(weight.numel() for weight in other.parameters())


def flops(tiny: Callable[..., TrainingSpec], **changes: Any) -> int:
    plain = {"architecture": PLAIN, "loss": {"kind": "non_saturating"}, "penalties": []}
    return estimates.estimate(tiny(**plain | changes)).flops_per_image


def test_flops_of_a_plain_pair_are_those_worked_out_by_hand(tiny: Callable[..., TrainingSpec]) -> None:
    assert flops(tiny) == 3 * GENERATOR + 8 * DISCRIMINATOR


def test_flops_of_the_ways_to_learn_are_those_worked_out_by_hand(tiny: Callable[..., TrainingSpec]) -> None:
    plain = 3 * GENERATOR + 8 * DISCRIMINATOR
    assert flops(tiny, accumulation_steps=4) == plain + GENERATOR
    look_ahead = {"kind": "extra_adam"}
    assert flops(tiny, generator_optimizer=look_ahead, discriminator_optimizer=look_ahead) == 2 * plain
    assert flops(tiny, loss={"kind": "relativistic_paired"}) == plain + DISCRIMINATOR
    assert flops(tiny, penalties=[{"kind": "weight_clip"}, {"kind": "lecam"}]) == plain
    assert flops(tiny, penalties=[{"kind": "r1", "every_steps": 5}]) == plain + DISCRIMINATOR
    assert flops(tiny, penalties=[{"kind": "consistency", "every_steps": 2}]) == plain + 3 * DISCRIMINATOR


def test_flops_of_an_autoencoder_are_those_worked_out_by_hand(tiny: Callable[..., TrainingSpec]) -> None:
    encoder = 2 * (64 * 30 + 30 * 20)
    autoencoder = {"architecture": {"kind": "vae", "backbone": PLAIN}, "loss": {"kind": "elbo"}}
    assert flops(tiny, **autoencoder) == 3 * encoder + 4 * GENERATOR


@pytest.mark.parametrize(
    ("changes", "per_image"),
    [
        ({}, (20 + 20 + 64) + 2 * (64 + 30 + 30 + 1)),
        (
            {"architecture": {"kind": "vae", "backbone": PLAIN}, "loss": {"kind": "elbo"}},
            (20 + 20 + 64) + (64 + 30 + 30 + 20),
        ),
    ],
    ids=["game", "autoencoder"],
)
def test_activations_are_those_of_one_part_of_a_batch(
    tiny: Callable[..., TrainingSpec], changes: dict[str, Any], per_image: int
) -> None:
    whole, half = (
        estimates.estimate(
            tiny(**{"architecture": PLAIN, "penalties": [], "accumulation_steps": steps} | changes)
        ).memory_bytes
        for steps in (1, 2)
    )
    assert whole - half == 4 * 16 * per_image


def test_normed_weights_are_no_activations(tiny: Callable[..., TrainingSpec]) -> None:
    plain, normed = (
        estimates.estimate(tiny(architecture={"kind": "dcgan", "channels": 64, "discriminator_norm": norm}))
        for norm in ("none", "spectral")
    )
    assert plain == normed


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
