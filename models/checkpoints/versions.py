"""Checkpoints of earlier releases: convert their manifests and the names of their tensors to the newest format."""

from collections.abc import Mapping
from typing import Any

from models.data import catalog

PARTS_1 = {
    "generator": "networks/generator",
    "average": "averages/generator",
    "generator_optimizer": "optimizers/generator",
    "sums": "sums",
    "memory": "statistics",
}
"""The parts of format 1 whose new name does not depend on the spec."""


def upgraded(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a manifest of any known format to the newest. Raises ValueError for an unknown format."""
    match manifest.get("format"):
        case 2:
            return dict(manifest)
        case 1:
            return _from_1(manifest)
    raise ValueError(f"format {manifest.get('format')!r} is none that this release reads")


def part_and_name(key: str, *, written: int, spec: Mapping[str, Any]) -> tuple[str, str]:
    """Split a key of a safetensors file into the part and the tensor's name. Raises ValueError for an unknown part."""
    if written == 1:
        part, _, name = key.partition("/")
        opponent = "encoder" if spec["architecture"]["kind"] == "vae" else "discriminator"
        renamed = PARTS_1 | {
            "discriminator": f"networks/{opponent}",
            "discriminator_optimizer": f"optimizers/{opponent}",
        }
        if part not in renamed:
            raise ValueError(f"unknown part {part!r}")
        return renamed[part], name
    kind, _, rest = key.partition("/")
    if kind in {"sums", "statistics"}:
        return kind, rest
    if kind in {"networks", "averages", "optimizers"}:
        role, _, name = rest.partition("/")
        return f"{kind}/{role}", name
    raise ValueError(f"unknown part {kind!r}")


def _from_1(manifest: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: manifest[name] for name in ("images_seen", "files", "sha256")}
    good = manifest.get("good")
    return kept | {
        "format": 2,
        "spec": spec_from_1(manifest["spec"]),
        "progress": _progress_from_1(manifest["position"]),
        "good": None if good is None else _progress_from_1(good),
    }


def spec_from_1(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Add the dataset's facts, which a spec of format 1 does not hold."""
    dataset = spec["dataset"]
    if "facts" in dataset:
        return dict(spec)
    return dict(spec) | {"dataset": catalog.BUILTIN[dataset["name"]].spec.model_dump(mode="json")}


def _progress_from_1(position: Mapping[str, Any]) -> dict[str, Any]:
    remembered = {name: position[name] for name in ("repairs", "failed_at")}
    same = {name: position[name] for name in ("images_seen", "training_seconds", "salt", "summed")}
    guard = {"roll_back": remembered} if any(remembered.values()) else {}
    return same | {"guard_factor": position["learning_rate_factor"], "guard": guard}
