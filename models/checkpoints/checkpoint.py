"""A checkpoint: a folder that holds all of a run's state, as safetensors and JSON. Nothing in it is ever unpickled.

`generator.safetensors` holds the generator that samples are drawn from, and is usable alone. `training.safetensors`
holds the rest. `good.safetensors` exists if the run was stopped between two planned checkpoints; it holds the state at
the earlier one. `manifest.json` holds the spec, the progress, and the SHA-256 of the other files and of itself.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from models.checkpoints import versions
from models.checkpoints.errors import CorruptCheckpoint, NonFinite
from models.checkpoints.progress import Progress
from models.checkpoints.snapshot import SAMPLED, Snapshot, Tensors
from models.specs.stored import StoredSpec

__all__ = [
    "GENERATOR",
    "GOOD",
    "MANIFEST",
    "TRAINING",
    "Checkpoint",
    "CorruptCheckpoint",
    "File",
    "Manifest",
    "NonFinite",
    "read",
    "read_file",
    "read_manifest",
    "verify",
    "write",
]

GENERATOR = "generator.safetensors"
TRAINING = "training.safetensors"
GOOD = "good.safetensors"
MANIFEST = "manifest.json"


class File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: str
    bytes: int


class Manifest(BaseModel):
    """The content of `manifest.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[2] = 2
    images_seen: int
    spec: StoredSpec
    progress: Progress
    good: Progress | None = None
    files: dict[str, File]
    sha256: str
    """SHA-256 of the manifest's JSON with sorted keys and without this field."""


@dataclass(frozen=True)
class Checkpoint:
    manifest: Manifest
    snapshot: Snapshot


def write(folder: Path, snapshot: Snapshot) -> Manifest:
    """Write a checkpoint into an empty folder. Every file, then the folder, is on disk when this returns.

    The folder must have a temporary name, which the caller changes afterwards: only then do readers see the checkpoint
    whole or not at all. Raises NonFinite, before anything is written, if the snapshot holds NaN or infinity.
    """
    if not snapshot.is_finite():
        raise NonFinite(f"the state at {snapshot.progress.images_seen} images is not finite")
    sampled = f"{'averages' if SAMPLED in snapshot.averages else 'networks'}/{SAMPLED}"
    contents = {GENERATOR: _generator_bytes(snapshot), TRAINING: save(_named(snapshot, but=sampled))}
    if snapshot.good is not None:
        contents[GOOD] = save(_named(snapshot.good))
    manifest = Manifest(
        images_seen=snapshot.progress.images_seen,
        spec=snapshot.spec,
        progress=snapshot.progress,
        good=None if snapshot.good is None else snapshot.good.progress,
        files={
            name: File(sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))
            for name, content in contents.items()
        },
        sha256="",
    )
    manifest = manifest.model_copy(update={"sha256": _seal(manifest.model_dump(mode="json"))})
    for name, content in contents.items():
        _write_through(folder / name, content)
    _write_through(folder / MANIFEST, manifest.model_dump_json(indent=2).encode() + b"\n")
    _sync_folder(folder)
    return manifest


def read(folder: Path) -> Checkpoint:
    """Return the checkpoint in a folder, its tensors on the CPU.

    Raises CorruptCheckpoint if any byte has changed since it was written.
    """
    written, manifest = _read_manifest(folder)
    averaged = manifest.spec.ema.half_life_images > 0
    parts = _parts(folder, TRAINING, manifest=manifest, written=written)
    sampled = _tensors(read_file(folder, GENERATOR, manifest=manifest), GENERATOR)
    parts[f"{'averages' if averaged else 'networks'}/{SAMPLED}"] = sampled
    snapshot = _snapshot(manifest, manifest.progress, parts)
    if manifest.good is not None:
        good = _parts(folder, GOOD, manifest=manifest, written=written)
        snapshot = replace(snapshot, good=_snapshot(manifest, manifest.good, good))
    return Checkpoint(manifest, snapshot)


def verify(folder: Path) -> Manifest:
    """Return a checkpoint's manifest. Raises CorruptCheckpoint if any byte has changed since it was written."""
    manifest = read_manifest(folder)
    for name in {GENERATOR, TRAINING} | manifest.files.keys():
        read_file(folder, name, manifest=manifest)
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """Read a manifest of any format. Raises CorruptCheckpoint if it is missing, damaged or of an unknown format."""
    return _read_manifest(folder)[1]


def read_file(folder: Path, name: str, *, manifest: Manifest) -> bytes:
    """Return a file's bytes, checked against the manifest. Raises CorruptCheckpoint if they differ."""
    path = folder / name
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CorruptCheckpoint(f"{path} cannot be read: {error}") from error
    if name not in manifest.files or hashlib.sha256(content).hexdigest() != manifest.files[name].sha256:
        raise CorruptCheckpoint(f"{path} is not as it was written")
    return content


def _read_manifest(folder: Path) -> tuple[int, Manifest]:
    """Return the format in which the manifest was written, and the manifest in the newest format."""
    path = folder / MANIFEST
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["sha256"] != _seal(found):
            raise CorruptCheckpoint(f"{path} is not as it was written")
        return found["format"], Manifest.model_validate(versions.upgraded(found))
    except (OSError, ValueError, ValidationError, KeyError, TypeError, AttributeError) as error:
        raise CorruptCheckpoint(f"{path} cannot be read: {error}") from error


def _seal(manifest: Mapping[str, Any]) -> str:
    unsealed = {key: value for key, value in manifest.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(unsealed, sort_keys=True).encode()).hexdigest()


def _generator_bytes(snapshot: Snapshot) -> bytes:
    about = {
        "format": "saddle-generator-1",
        "images_seen": str(snapshot.progress.images_seen),
        "spec": snapshot.spec.model_dump_json(),
    }
    return bytes(save(_savable(snapshot.sampled), metadata=about))


def _named(snapshot: Snapshot, *, but: str | None = None) -> dict[str, Tensor]:
    """Return every tensor of a snapshot under PART/NAME, except those of one part."""
    return {
        f"{part}/{name}": tensor
        for part, tensors in snapshot.parts().items()
        if part != but
        for name, tensor in _savable(tensors).items()
    }


def _parts(folder: Path, file: str, *, manifest: Manifest, written: int) -> dict[str, dict[str, Tensor]]:
    """Read the parts that `_named` wrote to a file."""
    parts: dict[str, dict[str, Tensor]] = {}
    spec = {"architecture": {"kind": manifest.spec.architecture.kind}}
    for key, tensor in _tensors(read_file(folder, file, manifest=manifest), file).items():
        try:
            part, name = versions.part_and_name(key, written=written, spec=spec)
        except ValueError as error:
            raise CorruptCheckpoint(f"{folder / file}: {error}") from error
        parts.setdefault(part, {})[name] = tensor
    return parts


def _snapshot(manifest: Manifest, progress: Progress, parts: Mapping[str, Tensors]) -> Snapshot:
    def by_role(kind: str) -> dict[str, Tensors]:
        return {part.partition("/")[2]: tensors for part, tensors in parts.items() if part.startswith(f"{kind}/")}

    networks = by_role("networks")
    return Snapshot(
        spec=manifest.spec,
        progress=progress,
        networks=networks,
        averages=by_role("averages"),
        # An optimizer has no state before its first step, and so no tensor in the file.
        optimizers={role: {} for role in networks} | by_role("optimizers"),
        sums=parts.get("sums", {}),
        statistics=parts.get("statistics", {}),
    )


def _savable(tensors: Tensors) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def _tensors(content: bytes, name: str) -> dict[str, Tensor]:
    try:
        return dict(load(content))
    except SafetensorError as error:
        raise CorruptCheckpoint(f"{name} is not a safetensors file: {error}") from error


def _write_through(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
