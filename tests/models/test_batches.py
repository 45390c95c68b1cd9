"""Batches: every image once an epoch, with its class, as a function of the seed and the images seen."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models import data, training
from models.data import batches, pixels
from models.data.batches import Batches, Resident, Streamed
from models.runtime import memory
from models.specs import TrainingSpec

CPU = torch.device("cpu")
VALUES = np.arange(100, dtype=np.uint8)
NUMBERED = data.ImageData(images_NCHW=VALUES.reshape(100, 1, 1, 1), labels=VALUES.astype(np.int64) * 7)
KINDS = [Resident, Streamed]
Kind = type[Resident] | type[Streamed]


def numbered(kind: Kind, *, seed: int = 1, batch_size: int = 30) -> "closing[Resident | Streamed]":
    return closing(kind(NUMBERED, device=CPU, seed=seed, batch_size=batch_size))


def shown(source: Batches, images_seen: int) -> list[int]:
    numbers: list[int] = pixels.to_uint8(source.at(images_seen).images_NCHW).flatten().tolist()
    return numbers


def readers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("batches")]


@pytest.fixture
def _nothing_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_bytes", lambda device: 0)


@pytest.mark.parametrize("kind", KINDS)
def test_an_epoch_shows_every_image_once_in_an_order_of_its_own(kind: Kind) -> None:
    with numbered(kind) as source:
        numbers = [number for seen in range(0, 300, 30) for number in shown(source, seen)]
        epochs = [numbers[start : start + 100] for start in (0, 100, 200)]
        assert [sorted(epoch) for epoch in epochs] == [list(range(100))] * 3
        assert epochs[0] != epochs[1] != epochs[2]
        assert shown(source, 90) == numbers[90:120]


@pytest.mark.parametrize("kind", KINDS)
@given(places=st.lists(st.integers(0, 1000), min_size=1, max_size=5), seed=st.integers(0, 3))
def test_a_batch_depends_on_the_seed_and_its_place_alone_and_carries_its_classes(
    kind: Kind, places: list[int], seed: int
) -> None:
    with numbered(kind, seed=seed) as source:
        for place in places:
            batch = source.at(place)
            with numbered(Resident, seed=seed) as fresh:
                assert torch.equal(batch.images_NCHW, fresh.at(place).images_NCHW)
            assert batch.labels.dtype == torch.int64
            assert torch.equal(batch.labels, 7 * pixels.to_uint8(batch.images_NCHW).flatten().long())


@pytest.mark.parametrize("kind", KINDS)
def test_points_come_unrounded_and_changing_a_batch_leaves_the_data_alone(kind: Kind) -> None:
    points = np.random.default_rng(0).uniform(-1, 1, (100, 2, 1, 1)).astype(np.float32)
    dataset = data.ImageData(images_NCHW=points, labels=np.arange(100))
    with closing(kind(dataset, device=CPU, seed=0, batch_size=100)) as source:
        batch = source.at(0)
        assert np.array_equal(batch.images_NCHW.numpy(), points[batch.labels.numpy()])
        batch.images_NCHW.zero_()
        assert source.at(0).images_NCHW.abs().min() > 0


@pytest.mark.parametrize("batch_size", [1, 30, 100, 130])
def test_streamed_batches_are_the_resident_ones_in_a_row_and_after_jumps(batch_size: int) -> None:
    row = [*range(0, 5 * batch_size, batch_size)]
    jumps = [*row, *row[2:], 10**6, 7 * batch_size, 3, 3, 3 + batch_size, 0, 4 * batch_size]
    with numbered(Resident, batch_size=batch_size) as here, numbered(Streamed, batch_size=batch_size) as there:
        for place in jumps:
            one, other = here.at(place), there.at(place)
            assert torch.equal(one.images_NCHW, other.images_NCHW)
            assert torch.equal(one.labels, other.labels)
            assert (one.images_NCHW.dtype, one.labels.dtype) == (other.images_NCHW.dtype, other.labels.dtype)


def test_in_a_row_no_batch_is_gathered_twice_and_few_ahead() -> None:
    gathered: list[tuple[int, ...]] = []

    class Counted(Streamed):
        def _gather(self, indices: Any, *rooms: Any) -> Any:
            gathered.append(tuple(indices))
            return super()._gather(indices, *rooms)

    with closing(Counted(NUMBERED, device=CPU, seed=1, batch_size=10)) as source:
        for place in range(0, 200, 10):
            source.at(place)
            assert len(gathered) <= place // 10 + 1 + batches.LOOK_AHEAD
    assert len(set(gathered)) == len(gathered) >= 20


def test_a_reader_that_fails_says_so_where_the_batch_is_asked_for() -> None:
    class Broken(Streamed):
        def _gather(self, indices: Any, *rooms: Any) -> Any:
            raise OSError("gone")

    with closing(Broken(NUMBERED, device=CPU, seed=1, batch_size=10)) as source, pytest.raises(OSError, match="gone"):
        source.at(0)
    assert not readers()


@pytest.fixture
def larger_than_memory(tmp_path: Path) -> Iterator[data.ImageData]:
    """Yield 315 GB of black images in a file without content."""
    file = np.memmap(tmp_path / "images", np.uint8, "w+", shape=(100_000, 3, 1024, 1024))
    yield data.ImageData(images_NCHW=file, labels=np.arange(100_000))
    (tmp_path / "images").unlink()


def test_mapped_files_are_read_where_they_are_shown_and_nowhere_else(larger_than_memory: data.ImageData) -> None:
    order = Resident(
        data.ImageData(images_NCHW=np.zeros((100_000, 1, 1, 1), np.uint8), labels=np.arange(100_000)),
        device=CPU,
        seed=0,
        batch_size=2,
    )
    images_NCHW = larger_than_memory.images_NCHW
    for number in order.at(2).labels.tolist():
        images_NCHW[number, 2, 1023, 1023] = 255
    with closing(Streamed(larger_than_memory, device=CPU, seed=0, batch_size=2)) as source:
        for place in (0, 2):
            batch = source.at(place)
            assert torch.equal(batch.labels, order.at(place).labels)
            assert batch.images_NCHW[:, 2, 1023, 1023].tolist() == [-1 + place] * 2
            assert batch.images_NCHW[:, 0].max() == -1


@pytest.mark.parametrize("kind", KINDS)
def test_mapped_files_that_may_not_be_written_hold_the_same_batches(kind: Kind, tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", NUMBERED.images_NCHW)
    np.save(tmp_path / "labels.npy", NUMBERED.labels)
    images, labels = (np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in ("images", "labels"))
    mapped = data.ImageData(images_NCHW=images, labels=labels)
    with closing(kind(mapped, device=CPU, seed=1, batch_size=30)) as source, numbered(Resident) as plain:
        assert torch.equal(source.at(80).images_NCHW, plain.at(80).images_NCHW)
        assert torch.equal(source.at(80).labels, plain.at(80).labels)


def test_data_of_several_chunks_arrive_whole_even_if_they_are_not_contiguous(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "CHUNK_BYTES", 70)
    images = np.random.default_rng(0).integers(0, 256, (50, 2, 4, 3), np.uint8).transpose(0, 3, 1, 2)[:, :, :, :2]
    resident = Resident(data.ImageData(images_NCHW=images, labels=np.arange(50)), device=CPU, seed=0, batch_size=50)
    batch = resident.at(0)
    assert np.array_equal(pixels.to_uint8(batch.images_NCHW).numpy(), images[batch.labels.numpy()])


def test_a_dataset_stays_on_the_device_where_it_takes_half_of_what_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    assert memory.fits(50, free_bytes=100)
    assert not memory.fits(51, free_bytes=100)
    size = 100 + 8 * 100
    for free, kind in ((2 * size, Resident), (2 * size - 1, Streamed)):
        monkeypatch.setattr(memory, "free_bytes", lambda device, free=free: free)
        with closing(batches.of(NUMBERED, device=CPU, seed=1, batch_size=30)) as source:
            assert type(source) is kind


def test_the_hosts_free_memory_is_what_the_system_says_and_a_containers_is_no_more_than_its_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "CONTAINER_LIMIT", tmp_path / "limit")
    assert memory.free_bytes(CPU) > 2**20  # neither file is there
    (tmp_path / "meminfo").write_text("MemTotal:  900 kB\nMemFree:  1 kB\nMemAvailable:   300 kB\n")
    assert memory.free_bytes(CPU) == 300 * 1024
    (tmp_path / "limit").write_text("max\n")
    assert memory.free_bytes(CPU) == 300 * 1024
    (tmp_path / "limit").write_text("4096\n")
    assert memory.free_bytes(CPU) == 4096


@pytest.mark.usefixtures("_nothing_fits")
@pytest.mark.parametrize("how", ["read to the end", "closed early", "forgotten", "failed"])
def test_no_thread_outlives_its_run(how: str, tiny: Callable[..., TrainingSpec], digits: data.ImageData) -> None:
    def stop() -> bool:
        if how == "failed":
            raise InterruptedError
        return False

    stream = training.train(tiny(), dataset=digits, device=CPU, stop=stop)
    match how:
        case "read to the end":
            assert len(list(stream)) > 1
        case "failed":
            with pytest.raises(InterruptedError):
                list(stream)
        case _:
            assert isinstance(next(stream), training.Begun)
            next(stream)
            assert readers()
            if how == "closed early":
                stream.close()  # type: ignore[attr-defined]
            del stream
    assert not readers()


def test_a_streamed_run_is_the_resident_one_to_the_bit(
    tiny: Callable[..., TrainingSpec], digits: data.ImageData, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = tiny(budget={"images": 2400, "seconds": None}, labels=True)

    def last() -> training.Snapshot:
        run = training.train(spec, dataset=digits, device=CPU)
        return [event.snapshot for event in run if isinstance(event, training.CheckpointDue)][-1]

    resident = last()
    monkeypatch.setattr(memory, "free_bytes", lambda device: 0)
    streamed = last()
    for part, tensors in resident.parts().items():
        for name, tensor in tensors.items():
            assert torch.equal(tensor, streamed.parts()[part][name]), f"{part}/{name}"
