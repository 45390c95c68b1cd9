"""Named recipes. A preset is a function of the dataset's facts, so that it serves any shape; `resolve` makes a spec."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from models import catalog, recipes
from models.spec import TrainingSpec

DEFAULT = "robust"
DEFAULT_DATASET = "fashion-mnist"


@dataclass(frozen=True)
class Preset:
    name: str
    purpose: str
    recipe: Callable[[catalog.DatasetFacts], dict[str, Any]]


def resolve(part: Mapping[str, Any]) -> TrainingSpec:
    """The complete spec that a client's part of one stands for.

    What the part leaves out comes from its preset. An object that names another `kind` than the preset replaces the
    preset's, one of the same kind is laid over it; lists replace.

    Raises pydantic.ValidationError, whose locations are places in the client's part.
    """
    name = part.get("preset", DEFAULT)
    if not isinstance(name, str) or name not in REGISTRY:
        raise _refused("preset", f"must be one of {', '.join(REGISTRY)}")
    facts = _facts(part.get("dataset"))
    base = _common(facts) | REGISTRY[name].recipe(facts)
    # Through JSON, where strict mode refuses "128" and true for a number but takes a list for a tuple.
    return TrainingSpec.model_validate_json(
        json.dumps(_lay_over(base, part) | {"preset": name}, default=str), strict=True
    )


def amend(spec: TrainingSpec, part: Mapping[str, Any]) -> TrainingSpec:
    """A spec with a client's changes, which are laid over it as over a preset's. Raises pydantic.ValidationError."""
    if part.get("preset", spec.preset) != spec.preset:
        raise _refused("preset", "a preset fills in a new job's spec: name the fields to change instead")
    return TrainingSpec.model_validate_json(
        json.dumps(_lay_over(spec.model_dump(mode="json"), part), default=str), strict=True
    )


def _facts(dataset: Any) -> catalog.DatasetFacts:
    """The facts to fill in from; those of the default dataset where the part names none that exists."""
    name = dataset.get("name") if isinstance(dataset, Mapping) else None
    return catalog.BUILTIN.get(name if isinstance(name, str) else "", catalog.BUILTIN[DEFAULT_DATASET])


def _refused(field: str, message: str) -> ValidationError:
    problem = PydanticCustomError("value_error", "{error}", {"error": message})
    return ValidationError.from_exception_data(
        "TrainingSpec", [InitErrorDetails(type=problem, loc=(field,), input=None)], input_type="json"
    )


def _lay_over(base: Any, part: Any) -> Any:
    if not isinstance(base, Mapping) or not isinstance(part, Mapping):
        return part
    if "kind" in part and part["kind"] != base.get("kind"):
        return part
    return dict(base) | {key: _lay_over(base[key], value) if key in base else value for key, value in part.items()}


def _common(facts: catalog.DatasetFacts) -> dict[str, Any]:
    return {
        "name": None,
        "dataset": {"kind": "builtin", "name": facts.name, "resolution": facts.resolution},
        "labels": False,
        "discriminator_steps": 1,
        "accumulation_steps": 1,
        "augment": {"kind": "flip" if facts.flips_natural else "none"},
        # Points lie closer together than bfloat16 can tell.
        "precision": "fp32" if facts.holds_points else "auto",
        "compile": False,
        "seed": 0,
        "checkpoint": {"every_images": 100_000, "keep_latest": 2, "keep_best": 1},
        "evaluation": {
            "every_images": 500_000,
            "metrics": [*(["fid", "precision_recall"] if facts.features else []), *(["modes"] if facts.modes else [])],
            "samples": 5_000,
        },
        "metrics": {"every_images": 8_192},
        "guard": {"kind": "repair"},
        "max_attempts": 5,
        "max_seconds": None,
        "metadata": {},
    }


REGISTRY: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(
            "robust",
            "The default: relativistic paired loss with zero-centred penalties on both sides, weight averaging and the "
            "repairing guard. A fully connected pair for small images, a DCGAN for the rest.",
            recipes.robust,
        ),
        Preset(
            "fast",
            "For trying things out: the robust recipe for the first minute, told the images' classes where there are "
            "some.",
            recipes.fast,
        ),
        Preset(
            "article",
            "The survey's recipe with its misprinted losses corrected: a plain fully connected GAN without penalty, "
            "averaging or guard. For comparison: it is what the robust recipe is robust against.",
            recipes.article,
        ),
        Preset(
            "dcgan",
            "Radford et al. 2016 as published: strided convolutions, batch norm on both sides, no penalty. For "
            "comparison, and where its samples are known.",
            recipes.dcgan,
        ),
        Preset(
            "wgan_gp",
            "Gulrajani et al. 2017 as published: Wasserstein loss, gradient penalty, five discriminator steps a round. "
            "Slow and steady; its loss falls as images get better.",
            recipes.wgan_gp,
        ),
        Preset(
            "sngan",
            "Miyato et al. 2018 as published: residual blocks, spectral norm, hinge loss. For GPUs.",
            recipes.sngan,
        ),
        Preset(
            "r3gan",
            "Huang et al. 2024: ResNeXt blocks without normalisation, relativistic paired loss, R1 and R2. The best "
            "images where there is a GPU and time.",
            recipes.r3gan,
        ),
        Preset(
            "vae",
            "A variational autoencoder with the robust preset's generator: the comparison, not a GAN. Never collapses, "
            "draws blurred images.",
            recipes.vae,
        ),
    )
}
