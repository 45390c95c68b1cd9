"""A part of a spec that a client sends: read from a YAML or JSON file, changed by key.path=value."""

import json
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NoReturn

import yaml

from saddle.errors import SaddleError

JsonObject = dict[str, Any]


class PartialSpecError(SaddleError):
    """The file or a setting cannot be turned into a part of a spec."""


def read(path: Path) -> JsonObject:
    """Return the object in a .json file, or in a YAML file of any other name. Raises PartialSpecError."""
    try:
        text = path.read_text(encoding="utf-8")
        content = _from_json(text) if path.suffix == ".json" else yaml.load(text, _Yaml12Loader)
        # Values that cannot be sent, such as an explicit !!timestamp, are refused here, with the file's name.
        json.dumps(content, allow_nan=False)
    except (OSError, ValueError, TypeError, RecursionError, yaml.YAMLError) as error:
        raise PartialSpecError(f"cannot read the spec in {path}: {error}") from error
    if not isinstance(content, dict):
        raise PartialSpecError(f"{path} must hold an object, such as `preset: robust`, not {type(content).__name__}")
    return content


def put(spec: JsonObject, setting: str) -> None:
    """Set `key.path=value` in the spec. The value is JSON, or else a string. A number in the path steps into a list.

    Raises PartialSpecError.
    """
    path, separator, text = setting.partition("=")
    keys = path.strip().split(".")
    if not separator or not all(keys):
        raise PartialSpecError(f"--set {setting!r} is not of the form key.path=value, as in --set batch_size=64")
    node: Any = spec
    for position, key in enumerate(keys[:-1]):
        node = _step(node, key, where=".".join(keys[:position]), setting=setting)
    last = _key(node, keys[-1], where=".".join(keys[:-1]), setting=setting)
    node[last] = _value(text, setting=setting)


def put_pairs(spec: JsonObject, field: str, pairs: Collection[str]) -> None:
    """Add `key=value` pairs of strings to an object in the spec. Raises PartialSpecError."""
    if not pairs:
        return
    target = spec.setdefault(field, {})
    if not isinstance(target, dict):
        raise PartialSpecError(f"{field} in the file is not an object")
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator or not key:
            raise PartialSpecError(f"--{field} {pair!r} is not of the form key=value")
        target[key] = value


def merge(spec: JsonObject, changes: Mapping[str, Any]) -> None:
    """Merge the changes that are not None into the spec, objects field by field."""
    for key, value in changes.items():
        if isinstance(value, Mapping):
            inner = spec.get(key)
            inner = dict(inner) if isinstance(inner, dict) else {}
            merge(inner, value)
            if inner:
                spec[key] = inner
        elif value is not None:
            spec[key] = value


def _step(node: Any, key: str, *, where: str, setting: str) -> Any:
    inside = _key(node, key, where=where, setting=setting)
    if isinstance(node, dict):
        return node.setdefault(inside, {})
    return node[inside]


def _key(node: Any, key: str, *, where: str, setting: str) -> str | int:
    """Return the key as the node takes it. Raises PartialSpecError if the node has no such key."""
    if isinstance(node, dict):
        return key
    if not isinstance(node, list):
        raise PartialSpecError(f"--set {setting!r}: {where} is not an object in the file")
    if not key.isdecimal() or int(key) >= len(node):
        raise PartialSpecError(f"--set {setting!r}: {where} is a list of {len(node)} in the file, {key!r} is not in it")
    return int(key)


def _value(text: str, *, setting: str) -> Any:
    try:
        return _from_json(text)
    except json.JSONDecodeError:
        return text
    except (ValueError, RecursionError) as error:
        raise PartialSpecError(f"--set {setting!r}: {error}") from error


def _from_json(text: str) -> Any:
    return json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)


def _finite(text: str) -> float:
    number = float(text)
    if number in {float("inf"), float("-inf")}:
        raise ValueError(f"{text} is too large")
    return number


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a finite number")


class _Yaml12Loader(yaml.SafeLoader):
    """A YAML loader with the scalars of version 1.2, which are JSON's.

    PyYAML's own scalars are those of version 1.1, where `off` is false (and so no guard's kind) and `2e-4` is a string.
    """

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012


for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(0|[1-9][0-9_]*)", list("-+0123456789")),
    ("float", r"[-+]?(\.[0-9]+|(0|[1-9][0-9_]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?", list("-+.0123456789")),
    ("merge", r"<<", ["<"]),
):
    _Yaml12Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_pattern})$"), _first)
