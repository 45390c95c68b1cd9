"""Complete a client's partial spec by a preset, or merge it into an existing spec."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from models.data import catalog
from models.presets import intervals
from models.presets.registry import DEFAULT, REGISTRY
from models.presets.widths import Hardware
from models.specs import DatasetFacts, TrainingSpec, UploadedDataset, figures, rules, stored

DEFAULT_DATASET = "fashion-mnist"
DERIVED = {"facts", "digest", "resolution"}
"""The fields that follow from a dataset's identity. `resolution` is the old place of `facts.resolution`."""

Find = Callable[[str], UploadedDataset | None]
"""(the id of an uploaded dataset) -> the dataset; None if it does not exist or is not the client's."""


def none_uploaded(dataset_id: str) -> None:
    """Find no uploaded dataset: for callers that have built-in ones only."""


def resolve(part: Mapping[str, Any], *, find: Find = none_uploaded, hardware: Hardware = "cpu") -> TrainingSpec:
    """Return the complete spec for a client's partial one, to be trained on this hardware.

    Missing fields come from the preset. An object whose `kind` differs from the preset's replaces the preset's object;
    one of the same kind is merged into it. A list replaces the preset's list.

    Raises pydantic.ValidationError, whose locations refer to the client's partial spec.
    """
    name = part.get("preset", DEFAULT)
    if not isinstance(name, str) or name not in REGISTRY:
        raise _refused(("preset",), f"must be one of {', '.join(REGISTRY)}")
    dataset = _dataset(part.get("dataset", {}), default={"kind": "builtin", "name": DEFAULT_DATASET}, find=find)
    facts = DatasetFacts.model_validate(dataset["facts"])
    recipe = REGISTRY[name].recipe(facts, hardware)
    base = _common(facts, budget=_lay_over(recipe["budget"], part.get("budget", {}))) | recipe
    spec = _validated(_lay_over(base, part) | {"preset": name, "dataset": dataset})
    if (problem := rules.first_problem(spec)) is not None:
        raise _refused((), problem)
    return spec


def amend(spec: TrainingSpec, part: Mapping[str, Any], *, find: Find = none_uploaded) -> TrainingSpec:
    """Return a spec with a client's changes merged in, as into a preset's.

    Only the changes are checked. Values that were stored before a bound or a rule was tightened stay as they are.
    Raises pydantic.ValidationError if the changes break a bound or a rule.
    """
    if part.get("preset", spec.preset) != spec.preset:
        raise _refused(("preset",), "a preset fills in a new job's spec: name the fields to change instead")
    before = spec.model_dump(mode="json")
    after = _lay_over(before, part)
    if "dataset" in part:
        after["dataset"] = _dataset(part["dataset"], default=before["dataset"], find=find)
    try:
        amended = _validated(after)
    except ValidationError as error:
        new = [problem for problem in error.errors() if not _is_unchanged(problem["loc"], before, after)]
        if new:
            raise _all_refused(new) from error
        amended = stored.read(after)
    if (problem := rules.first_problem(amended, before=spec)) is not None:
        raise _refused((), problem)
    return amended


def _dataset(wish: Any, *, default: Mapping[str, Any], find: Find) -> dict[str, Any]:
    """Return the dataset that a client names, with its facts. Raises pydantic.ValidationError."""
    if not isinstance(wish, Mapping):
        raise _refused(("dataset",), 'must be an object such as {"kind": "builtin", "name": "digits"}')
    kind = wish.get("kind", default["kind"])
    named = dict(default) | dict(wish) if kind == default["kind"] else dict(wish)
    if kind == "builtin":
        name = named.get("name")
        if not isinstance(name, str) or name not in catalog.BUILTIN:
            raise _refused(("dataset", "name"), f"must be one of {', '.join(catalog.BUILTIN)}")
        own = catalog.BUILTIN[name].spec.model_dump(mode="json")
    elif kind == "uploaded":
        found = find(str(named.get("id", "")))
        if found is None:
            raise _refused(("dataset", "id"), f"there is no uploaded dataset {named.get('id')!r}")
        own = found.model_dump(mode="json")
    else:
        raise _refused(("dataset", "kind"), "must be builtin or uploaded")
    _check_facts(wish, own)
    return {key: value for key, value in wish.items() if key not in DERIVED} | own


def _check_facts(wish: Mapping[str, Any], own: Mapping[str, Any]) -> None:
    """Raise pydantic.ValidationError if a client states wrong facts about a dataset."""
    facts = own["facts"]
    side = facts["resolution"]
    if wish.get("resolution", side) != side:
        message = f"{own['name']} is {side}x{side}: set dataset.resolution to {side} or leave it out"
        raise _refused(("dataset", "resolution"), message)
    for field in ("facts", "digest"):
        if field in wish and wish[field] != own.get(field):
            raise _refused(("dataset", field), f"{own['name']} has its own: leave {field} out")


def _validated(whole: Mapping[str, Any]) -> TrainingSpec:
    # From JSON, because strict mode then refuses "128" and true for a number but accepts a list for a tuple.
    return TrainingSpec.model_validate_json(json.dumps(whole, default=str), strict=True)


def _is_unchanged(location: Sequence[int | str], before: Any, after: Any) -> bool:
    """Return whether the value at pydantic's location, which also names the kinds of unions, has not changed."""
    for part in location:
        if isinstance(after, Mapping) and part not in after and after.get("kind") == part:
            continue
        try:
            before, after = before[part], after[part]
        except (KeyError, IndexError, TypeError):
            break
    return bool(before == after)


def _refused(location: tuple[str, ...], message: str) -> ValidationError:
    problem = PydanticCustomError("value_error", "{error}", {"error": message})
    return _raised([InitErrorDetails(type=problem, loc=location, input=None)])


def _all_refused(problems: Sequence[ErrorDetails]) -> ValidationError:
    return _raised(
        [
            InitErrorDetails(type=problem["type"], loc=problem["loc"], input=None, ctx=problem.get("ctx", {}))
            for problem in problems
        ]
    )


def _raised(details: list[InitErrorDetails]) -> ValidationError:
    return ValidationError.from_exception_data("TrainingSpec", details, input_type="json")


def _lay_over(base: Any, part: Any) -> Any:
    if not isinstance(base, Mapping) or not isinstance(part, Mapping):
        return part
    if "kind" in part and part["kind"] != base.get("kind"):
        return part
    return dict(base) | {key: _lay_over(base[key], value) if key in base else value for key, value in part.items()}


def _samples(metrics: Sequence[str]) -> int:
    """Return a number of samples that takes little of a run's time, on a CPU too."""
    if "kid" in metrics:  # it needs few images, and the extractor of any pictures is slow
        return 1_000
    return 2_500 if "fid" in metrics else 5_000


def _common(facts: DatasetFacts, *, budget: Any) -> dict[str, Any]:
    saved, evaluated = intervals.filled_in(budget)
    metrics = figures.usual(facts)
    return {
        "name": None,
        "labels": False,
        "discriminator_steps": 1,
        "accumulation_steps": 1,
        "augment": {"kind": "flip" if facts.flips_natural else "none"},
        # Points lie closer together than bfloat16 can resolve.
        "precision": "fp32" if facts.holds_points else "auto",
        "compile": False,
        "seed": 0,
        "checkpoint": {"every_images": saved, "keep_latest": 2, "keep_best": 3},
        "evaluation": {
            "every_images": evaluated,
            "metrics": metrics,
            "samples": _samples(metrics),
        },
        "metrics": {"every_images": 8_192},
        "guard": {"kind": "repair"},
        "max_attempts": 5,
        "max_seconds": None,
        "metadata": {},
    }
