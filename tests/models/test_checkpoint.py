"""A checkpoint is read as it was written, or refused."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from torch import Tensor

from models import training
from models.checkpoints import checkpoint
from tests.models.runs import content

FILES = (checkpoint.GENERATOR, checkpoint.TRAINING, checkpoint.GOOD, checkpoint.MANIFEST)


def with_part(snapshot: training.Snapshot, part: str, tensors: Mapping[str, Tensor]) -> training.Snapshot:
    """Return a snapshot with other tensors in one of its parts."""
    field, _, role = part.partition("/")
    change: dict[str, Any] = {field: getattr(snapshot, field) | {role: tensors} if role else tensors}
    return replace(snapshot, **change)


@pytest.fixture
def folder(tmp_path: Path, state: training.Snapshot) -> Path:
    checkpoint.write(tmp_path, state)
    return tmp_path


def test_reading_gives_back_what_was_written(folder: Path, state: training.Snapshot) -> None:
    read = checkpoint.read(folder)
    assert read.manifest.images_seen == state.progress.images_seen == 96
    assert_equal(read.snapshot, state)
    assert read.snapshot.good is not None
    assert state.good is not None
    assert_equal(read.snapshot.good, state.good)


def test_a_state_of_the_plan_is_the_one_to_go_back_to(tmp_path: Path, state: training.Snapshot) -> None:
    checkpoint.write(tmp_path, replace(state, good=None))
    assert {path.name for path in tmp_path.iterdir()} == set(FILES) - {checkpoint.GOOD}
    assert checkpoint.read(tmp_path).snapshot.good is None


def assert_equal(one: training.Snapshot, other: training.Snapshot) -> None:
    assert (one.spec, one.progress) == (other.spec, other.progress)
    assert content(one) == content(other)


def test_without_an_average_the_generator_itself_is_sampled(tmp_path: Path, state: training.Snapshot) -> None:
    spec = state.spec.model_copy(update={"ema": state.spec.ema.model_copy(update={"half_life_images": 0})})
    checkpoint.write(tmp_path, replace(state, spec=spec, averages={}, good=None))
    read = checkpoint.read(tmp_path)
    assert not read.snapshot.averages
    found = read.snapshot.networks["generator"]
    assert all(torch.equal(found[name], tensor) for name, tensor in state.networks["generator"].items())


def test_generator_file_is_usable_alone(folder: Path, state: training.Snapshot) -> None:
    assert state.averages
    with safe_open(folder / checkpoint.GENERATOR, framework="pt") as file:
        about = file.metadata()
        assert set(file.keys()) == set(state.averages["generator"])
        assert all(torch.equal(file.get_tensor(name), tensor) for name, tensor in state.averages["generator"].items())
    assert about["images_seen"] == "96"
    assert json.loads(about["spec"]) == state.spec.model_dump(mode="json")


def test_manifest_lists_size_and_digest_of_every_file(folder: Path) -> None:
    manifest = checkpoint.verify(folder)
    assert {name: file.bytes for name, file in manifest.files.items()} == {
        name: (folder / name).stat().st_size for name in FILES[:-1]
    }


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_is_noticed(folder: Path, name: str, place: float, bit: int) -> None:
    path = folder / name
    whole = path.read_bytes()
    damaged = bytearray(whole)
    damaged[int(place * len(whole))] ^= 1 << bit
    path.write_bytes(damaged)
    try:
        if name == checkpoint.MANIFEST and _same_json(whole, bytes(damaged)):
            return
        with pytest.raises(checkpoint.CorruptCheckpoint):
            checkpoint.read(folder)
        with pytest.raises(checkpoint.CorruptCheckpoint):
            checkpoint.verify(folder)
    finally:
        path.write_bytes(whole)


def _same_json(one: bytes, other: bytes) -> bool:
    """Return whether two texts differ in white space alone."""
    try:
        return bool(json.loads(one) == json.loads(other))
    except (UnicodeDecodeError, json.JSONDecodeError):
        return False


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_truncated_file_is_noticed(folder: Path, name: str, share: float) -> None:
    path = folder / name
    os.truncate(path, int(share * path.stat().st_size))
    with pytest.raises(checkpoint.CorruptCheckpoint):
        checkpoint.read(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_noticed(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(checkpoint.CorruptCheckpoint):
        checkpoint.verify(folder)


@pytest.mark.parametrize(
    "part", ["networks/generator", "networks/discriminator", "averages/generator", "optimizers/generator", "sums"]
)
def test_nothing_non_finite_is_written(tmp_path: Path, state: training.Snapshot, part: str) -> None:
    tensors = dict(state.parts()[part])
    name = next(name for name, tensor in tensors.items() if tensor.is_floating_point())
    tensors[name] = tensors[name].clone().fill_(float("nan"))
    with pytest.raises(checkpoint.NonFinite):
        checkpoint.write(tmp_path, with_part(state, part, tensors))
    assert list(tmp_path.iterdir()) == []


def test_every_file_and_the_folder_reach_the_disk(
    tmp_path: Path, state: training.Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    fsync: Callable[[int], None] = os.fsync

    def note(descriptor: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    checkpoint.write(tmp_path, state)
    assert synced == [*(str(tmp_path / name) for name in FILES), str(tmp_path)]


def test_a_folder_that_is_not_empty_is_refused(folder: Path, state: training.Snapshot) -> None:
    with pytest.raises(FileExistsError):
        checkpoint.write(folder, state)
