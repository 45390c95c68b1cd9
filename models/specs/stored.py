"""Read specs that were stored by this release or an earlier one.

A spec that was accepted once stays readable: no bound and no rule of this release is applied. Fields that did not exist
yet take their defaults. Fields that no longer exist are dropped.
"""

import types
from collections.abc import Callable, Mapping
from functools import cache
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BeforeValidator

from models.specs.fields import Spec
from models.specs.training import TrainingSpec

Reader = Callable[[Any], Any]


def read(stored: Any) -> TrainingSpec:
    """Return the training spec from its stored `model_dump(mode="json")`. Raises ValueError for anything else."""
    try:
        spec = _reader_of_spec(TrainingSpec)(stored)
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"not a stored spec: {error!r}") from error
    assert isinstance(spec, TrainingSpec)
    return spec


def _read_unless_read(value: Any) -> TrainingSpec:
    return value if isinstance(value, TrainingSpec) else read(value)


StoredSpec = Annotated[TrainingSpec, BeforeValidator(_read_unless_read)]
"""The type of a pydantic model's field that holds a spec as it was stored."""


@cache
def _reader_of_spec(model: type[Spec]) -> Reader:
    """Return the reader of a spec class. It is made once: specs are read in every request of a job."""
    fields = [(name, field.is_required(), _reader(field.annotation)) for name, field in model.model_fields.items()]

    def read_spec(stored: Any) -> Spec:
        if not isinstance(stored, Mapping):
            raise ValueError(f"{model.__name__} is stored as {type(stored).__name__}, not as an object")
        values = {}
        for name, required, read_field in fields:
            if name in stored:
                values[name] = read_field(stored[name])
            elif required:
                raise ValueError(f"{model.__name__} is stored without its {name}")
        return model.model_construct(**values)

    return read_spec


def _reader(annotation: Any) -> Reader:
    """Return the function that converts a stored JSON value to a field's type."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _reader(arguments[0])
    if origin in {Union, types.UnionType}:
        return _reader_of_union(arguments)
    if origin is tuple:
        return _reader_of_tuple(arguments)
    if _is_spec(annotation):
        return _reader_of_spec(annotation)
    return float if annotation is float else _unchanged


def _reader_of_tuple(kinds: tuple[Any, ...]) -> Reader:
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        read_item = _reader(kinds[0])
        return lambda stored: tuple(map(read_item, stored))
    readers = [_reader(kind) for kind in kinds]
    return lambda stored: tuple(read_item(item) for read_item, item in zip(readers, stored, strict=True))


def _reader_of_union(members: tuple[Any, ...]) -> Reader:
    """Return the reader of the member that has the value's kind, or of the only member other than None."""
    named = {member.model_fields["kind"].default: _reader_of_spec(member) for member in members if _is_spec(member)}
    if not named:
        (only,) = (_reader(member) for member in members if member is not types.NoneType)
        return lambda stored: None if stored is None else only(stored)

    def read_member(stored: Any) -> Spec | None:
        if stored is None:
            return None
        kind = stored["kind"]
        if kind not in named:
            raise ValueError(f"kind {kind!r} is none of {', '.join(named)}: this release cannot read it")
        spec: Spec = named[kind](stored)
        return spec

    return read_member


def _unchanged(stored: Any) -> Any:
    return stored


def _is_spec(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Spec)
