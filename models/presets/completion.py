"""How a client's part of a spec becomes a whole one: completed by a preset, or laid over a spec that exists."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from models.presets.registry import DEFAULT, REGISTRY
from models.specs import TrainingSpec, catalog

DEFAULT_DATASET = "fashion-mnist"


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
