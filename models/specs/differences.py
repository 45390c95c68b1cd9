"""Differences between specs, field by field, and between figures, beyond their noise."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from models.specs.evaluations import Figure

NAMES = frozenset({"name", "metadata"})
"""Fields that say nothing of the training."""


def of_specs(specs: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Return the fields in which stored specs differ, by path, with each spec's value; null where it has none."""
    flat = [_flat({name: value for name, value in spec.items() if name not in NAMES}) for spec in specs]
    paths = sorted({path for fields in flat for path in fields})
    columns = {path: [fields.get(path) for fields in flat] for path in paths}
    return {path: values for path, values in columns.items() if any(value != values[0] for value in values)}


def exceeds_noise(one: Figure, other: Figure) -> bool | None:
    """Return whether two figures differ by more than their intervals allow; None if an interval is not known.

    Both reach to each side as 1.96 standard errors do; their difference reaches as the root of the sum of squares.
    """
    bounds = (*one.interval, *other.interval)
    if any(bound is None for bound in bounds):
        return None
    reaches = [(high - low) / 2 for low, high in ((bounds[0], bounds[1]), (bounds[2], bounds[3]))]  # type: ignore[operator]
    return abs(one.value - other.value) > math.hypot(*reaches)


def _flat(value: Any, path: str = "") -> dict[str, Any]:
    """Return the leaves of nested objects by path. A list is a leaf, unless it holds objects."""
    if isinstance(value, Mapping):
        nested = [_flat(inner, f"{path}.{name}" if path else name) for name, inner in value.items()]
    elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        named = [
            (item.get("kind", place) if isinstance(item, Mapping) else place, item) for place, item in enumerate(value)
        ]
        nested = [_flat(item, f"{path}.{name}") for name, item in named]
    else:
        return {path: value}
    return {name: leaf for fields in nested for name, leaf in fields.items()}
