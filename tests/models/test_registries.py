"""The registries and the spec's unions name the same kinds, and every kind trains."""

from collections.abc import Callable, Mapping
from typing import Any, get_args

import numpy as np
import pytest
import torch

from models import architectures, augment, data, evaluators, losses, optimizers, penalties, specs, training
from models.data import catalog
from models.specs import figures
from models.training import guard, lr_schedules, methods

MLP = {"kind": "mlp", "latent_dim": 8, "generator_widths": [16], "discriminator_widths": [16]}
DCGAN = {"kind": "dcgan", "latent_dim": 8, "channels": 4}
RESNET = {"kind": "resnet", "latent_dim": 8, "channels": 4}
R3GAN = {"kind": "r3gan", "latent_dim": 8, "channels": 4, "group_width": 4}
ARCHITECTURES = [MLP, DCGAN, RESNET, R3GAN]
ENCODERS = [{"kind": "vae", "backbone": backbone} for backbone in (MLP, DCGAN)]
ELBO = {"kind": "elbo"}


def kinds(union: Any) -> set[str]:
    """The kinds of a discriminated union, or of the one class that stands where a union will be."""
    members = get_args(get_args(union)[0]) if get_args(union) else (union,)
    return {member.model_fields["kind"].default for member in members}


@pytest.mark.parametrize(
    ("union", "registry"),
    [
        (specs.Architecture, architectures.REGISTRY),
        (specs.Loss, dict.fromkeys(losses.REGISTRY) | {"elbo": None}),
        (specs.Penalty, penalties.REGISTRY),
        (specs.Optimizer, optimizers.REGISTRY),
        (specs.Schedule, lr_schedules.REGISTRY),
        (specs.Augment, augment.REGISTRY),
        (specs.Guard, guard.LADDERS),
        (specs.Dataset, data.REGISTRY),
    ],
)
def test_registry_and_spec_name_the_same_kinds(union: Any, registry: Mapping[str, object]) -> None:
    assert set(registry) == kinds(union)


def test_every_method_that_a_spec_can_ask_for_exists() -> None:
    assert set(specs.methods.REGISTRY) == set(methods.REGISTRY)


def test_every_builtin_dataset_has_facts_and_a_loader() -> None:
    named = set(get_args(specs.BuiltinDataset.model_fields["name"].annotation))
    assert named == set(catalog.BUILTIN) == set(data.BUILTIN)


def test_every_metric_and_every_feature_extractor_exists() -> None:
    assert set(get_args(figures.Metric)) == set(figures.REGISTRY) == set(evaluators.METRICS)
    assert {entry.facts.features for entry in catalog.BUILTIN.values()} - {None} <= set(evaluators.EXTRACTORS)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize(
    "changes",
    [
        *({"architecture": architecture} for architecture in ARCHITECTURES),
        *({"architecture": architecture, "labels": True} for architecture in ARCHITECTURES),
        *({"architecture": encoder, "loss": ELBO, "penalties": []} for encoder in ENCODERS),
        *({"architecture": encoder, "loss": ELBO, "penalties": [], "labels": True} for encoder in ENCODERS),
        {"architecture": MLP | {"generator_norm": "batch"}},
        {"architecture": DCGAN | {"discriminator_norm": "batch", "generator_norm": "none"}},
        {"architecture": DCGAN | {"discriminator_norm": "spectral"}},
        {"architecture": RESNET | {"discriminator_norm": "none", "generator_norm": "none"}},
        *({"loss": {"kind": kind}} for kind in sorted(losses.REGISTRY)),
        *({"penalties": [{"kind": kind}]} for kind in sorted(kinds(specs.Penalty))),
        *({"generator_optimizer": {"kind": kind}} for kind in sorted(kinds(specs.Optimizer) - {"extra_adam"})),
        *({"discriminator_optimizer": {"kind": kind}} for kind in sorted(kinds(specs.Optimizer) - {"extra_adam"})),
        {"generator_optimizer": {"kind": "extra_adam"}, "discriminator_optimizer": {"kind": "extra_adam"}},
        *(
            {"generator_optimizer": {"schedule": {"kind": kind, "warmup_images": 32}}}
            for kind in sorted(kinds(specs.Schedule))
        ),
        {"generator_optimizer": {"max_gradient_norm": 0.1}},
        *({"augment": {"kind": kind}} for kind in sorted(kinds(specs.Augment))),
        *({"guard": {"kind": kind}} for kind in sorted(kinds(specs.Guard))),
        {"accumulation_steps": 4},
        {"discriminator_steps": 3, "budget": {"images": 192, "seconds": None}},
        {"ema": {"half_life_images": 0}},
    ],
    ids=str,
)
def test_two_steps_of_every_kind_change_both_networks_and_stay_finite(
    tiny: Callable[..., specs.TrainingSpec],
    events: Callable[..., list[training.Event]],
    changes: dict[str, Any],
    precision: str,
) -> None:
    spec = tiny(precision=precision, **changes)
    run = events(spec)
    ticks = [event for event in run if isinstance(event, training.Tick)]
    assert len(ticks) == 2
    assert all(np.isfinite(value) for tick in ticks for value in tick.values.values())
    (state,) = [event.snapshot for event in run if isinstance(event, training.CheckpointDue)]
    start = architectures.build(spec)
    for name, tensors in state.networks.items():
        network = start[name]
        # Weights only: a relativistic loss gives the discriminator's last bias no gradient.
        weights = {key: weight for key, weight in network.named_parameters() if weight.dim() > 1}
        still = [key for key, weight in weights.items() if torch.equal(weight, tensors[key])]
        assert not still, f"{name}: {still}"
