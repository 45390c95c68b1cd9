"""A checkpoint: a folder that holds all of a run's state. safetensors and JSON; nothing in it is ever unpickled.

`generator.safetensors` holds the generator that samples are drawn from and is usable alone; `training.safetensors` the
rest; `good.safetensors`, where a run was stopped between two checkpoints of its plan, the state at the one before;
`manifest.json` the spec, the positions and the SHA-256 of the others, and of itself.
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

from models.checkpoints.progress import Position
from models.runtime import finite
from models.specs import TrainingSpec

GENERATOR = "generator.safetensors"
TRAINING = "training.safetensors"
GOOD = "good.safetensors"
MANIFEST = "manifest.json"

Tensors = Mapping[str, Tensor]
PARTS = (
    "generator",
    "average",
    "discriminator",
    "generator_optimizer",
    "discriminator_optimizer",
    "sums",
    "memory",
)
"""Of a State's tensors, its fields."""


class CorruptCheckpoint(Exception):
    """The folder does not hold what was once written there."""


class NonFinite(ValueError):
    """The state holds NaN or infinity, which is never saved."""


@dataclass(frozen=True)
class State:
    """A run between two steps. Each part maps names to tensors."""

    spec: TrainingSpec
    position: Position
    generator: Tensors
    """As trained."""
    average: Tensors | None
    """The generator's moving average; None where the spec asks for none."""
    discriminator: Tensors
    generator_optimizer: Tensors
    discriminator_optimizer: Tensors
    sums: Tensors
    """The running sums of the tick under way."""
    memory: Tensors
    """What penalties and augmentations remember."""
    good: "State | None" = None
    """Where the guard would take the run back to, if not here: a stop must not change that."""

    @property
    def sampled(self) -> Tensors:
        """The weights that samples are drawn from."""
        return self.generator if self.average is None else self.average

    def parts(self) -> dict[str, Tensors]:
        """Every part that there is, by its field's name."""
        parts: dict[str, Tensors | None] = {name: getattr(self, name) for name in PARTS}
        return {name: part for name, part in parts.items() if part is not None}

    def is_finite(self) -> bool:
        """Whether every tensor is free of NaN and infinity; waits for the device."""
        if self.good is not None and not self.good.is_finite():
            return False
        return finite.all_finite(tensor for part in self.parts().values() for tensor in part.values())


class File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: str
    bytes: int


class Manifest(BaseModel):
    """What a checkpoint's folder says about itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    images_seen: int
    spec: TrainingSpec
    position: Position
    good: Position | None = None
    files: dict[str, File]
    sha256: str
    """Of the manifest's own JSON, sorted and without this field."""


@dataclass(frozen=True)
class Checkpoint:
    manifest: Manifest
    state: State


def write(folder: Path, state: State) -> Manifest:
    """Writes a checkpoint into an empty folder; every file, then the folder, is on disk when this returns.

    To be seen whole or not at all the folder must have a temporary name, which the caller then changes.
    Raises NonFinite before anything is written.
    """
    if not state.is_finite():
        raise NonFinite(f"the state at {state.position.images_seen} images is not finite")
    sampled = "generator" if state.average is None else "average"
    contents = {GENERATOR: _generator_bytes(state), TRAINING: save(_named(state, but=sampled))}
    if state.good is not None:
        contents[GOOD] = save(_named(state.good))
    manifest = Manifest(
        images_seen=state.position.images_seen,
        spec=state.spec,
        position=state.position,
        good=None if state.good is None else state.good.position,
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
    """The checkpoint in a folder, its tensors on the CPU. Raises CorruptCheckpoint unless every byte is as written."""
    manifest = read_manifest(folder)
    sampled = "average" if manifest.spec.ema.half_life_images > 0 else "generator"
    parts = _parts(folder, TRAINING, manifest=manifest)
    parts[sampled] = _tensors(read_file(folder, GENERATOR, manifest=manifest), GENERATOR)
    state = _state(manifest.spec, manifest.position, parts)
    if manifest.good is not None:
        state = replace(state, good=_state(manifest.spec, manifest.good, _parts(folder, GOOD, manifest=manifest)))
    return Checkpoint(manifest, state)


def verify(folder: Path) -> Manifest:
    """The manifest of a checkpoint whose every byte is as written. Raises CorruptCheckpoint otherwise."""
    manifest = read_manifest(folder)
    for name in {GENERATOR, TRAINING} | manifest.files.keys():
        read_file(folder, name, manifest=manifest)
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """Raises CorruptCheckpoint if the manifest is missing, damaged or of an unknown format."""
    path = folder / MANIFEST
    try:
        text = path.read_text(encoding="utf-8")
        manifest = Manifest.model_validate_json(text)
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        raise CorruptCheckpoint(f"{path} cannot be read: {error}") from error
    if manifest.sha256 != _seal(json.loads(text)):
        raise CorruptCheckpoint(f"{path} is not as it was written")
    return manifest


def read_file(folder: Path, name: str, *, manifest: Manifest) -> bytes:
    """A file's bytes, checked against the manifest. Raises CorruptCheckpoint if they differ."""
    path = folder / name
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CorruptCheckpoint(f"{path} cannot be read: {error}") from error
    if name not in manifest.files or hashlib.sha256(content).hexdigest() != manifest.files[name].sha256:
        raise CorruptCheckpoint(f"{path} is not as it was written")
    return content


def _seal(manifest: Mapping[str, Any]) -> str:
    unsealed = {key: value for key, value in manifest.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(unsealed, sort_keys=True).encode()).hexdigest()


def _generator_bytes(state: State) -> bytes:
    about = {
        "format": "saddle-generator-1",
        "images_seen": str(state.position.images_seen),
        "spec": state.spec.model_dump_json(),
    }
    return bytes(save(_savable(state.sampled), metadata=about))


def _named(state: State, *, but: str | None = None) -> dict[str, Tensor]:
    """Every tensor of a state, that of one part excepted, as PART/NAME."""
    return {
        f"{part}/{name}": tensor
        for part, tensors in state.parts().items()
        if part != but
        for name, tensor in _savable(tensors).items()
    }


def _parts(folder: Path, file: str, *, manifest: Manifest) -> dict[str, dict[str, Tensor]]:
    """What `_named` made a file of; parts that it does not hold are empty."""
    parts: dict[str, dict[str, Tensor]] = {name: {} for name in PARTS}
    for key, tensor in _tensors(read_file(folder, file, manifest=manifest), file).items():
        part, _, name = key.partition("/")
        if part not in parts:
            raise CorruptCheckpoint(f"{folder / file} holds the unknown part {part!r}")
        parts[part][name] = tensor
    return parts


def _state(spec: TrainingSpec, position: Position, parts: Mapping[str, Tensors]) -> State:
    return State(
        spec=spec,
        position=position,
        generator=parts["generator"],
        average=parts["average"] if spec.ema.half_life_images > 0 else None,
        discriminator=parts["discriminator"],
        generator_optimizer=parts["generator_optimizer"],
        discriminator_optimizer=parts["discriminator_optimizer"],
        sums=parts["sums"],
        memory=parts["memory"],
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
