"""Read specs that were stored by this release or an earlier one.

A spec that was accepted once stays readable: no bound and no rule of this release is applied. Fields that did not exist
yet take their defaults. Fields that no longer exist are dropped.
"""

import types
from collections.abc import Mapping
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BeforeValidator

from models.specs.fields import Spec
from models.specs.training import TrainingSpec


def read(stored: Any) -> TrainingSpec:
    """Return the training spec from its stored `model_dump(mode="json")`. Raises ValueError for anything else."""
    try:
        spec = _spec(TrainingSpec, stored)
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"not a stored spec: {error!r}") from error
    assert isinstance(spec, TrainingSpec)
    return spec


def _read_unless_read(value: Any) -> TrainingSpec:
    return value if isinstance(value, TrainingSpec) else read(value)


StoredSpec = Annotated[TrainingSpec, BeforeValidator(_read_unless_read)]
"""The type of a pydantic model's field that holds a spec as it was stored."""


def _spec(model: type[Spec], stored: Any) -> Spec:
    if not isinstance(stored, Mapping):
        raise ValueError(f"{model.__name__} is stored as {type(stored).__name__}, not as an object")
    values = {}
    for name, field in model.model_fields.items():
        if name in stored:
            values[name] = _value(field.annotation, stored[name])
        elif field.is_required():
            raise ValueError(f"{model.__name__} is stored without its {name}")
    return model.model_construct(**values)


def _value(annotation: Any, stored: Any) -> Any:
    """Convert a stored JSON value to a field's type."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _value(arguments[0], stored)
    if origin in {Union, types.UnionType}:
        return _member(arguments, stored)
    if origin is tuple:
        repeated = len(arguments) == 2 and arguments[1] is Ellipsis
        kinds = [arguments[0]] * len(stored) if repeated else arguments
        return tuple(_value(kind, item) for kind, item in zip(kinds, stored, strict=True))
    if isinstance(annotation, type) and issubclass(annotation, Spec):
        return _spec(annotation, stored)
    return float(stored) if annotation is float else stored


def _member(members: tuple[Any, ...], stored: Any) -> Any:
    """Convert a value to the union's member of its kind, or to the only member other than None."""
    if stored is None:
        return None
    named = {member.model_fields["kind"].default: member for member in members if _is_spec(member)}
    if named:
        kind = stored["kind"]
        if kind not in named:
            raise ValueError(f"kind {kind!r} is none of {', '.join(named)}: this release cannot read it")
        return _spec(named[kind], stored)
    (member,) = (member for member in members if member is not types.NoneType)
    return _value(member, stored)


def _is_spec(member: Any) -> bool:
    return isinstance(member, type) and issubclass(member, Spec)
