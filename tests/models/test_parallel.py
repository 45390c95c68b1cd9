"""Parallel training: two processes get the result of one."""

import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import distributed

from models import training
from models.checkpoints.checkpoint import read
from models.checkpoints.snapshot import Snapshot
from models.runtime import parallel
from models.runtime.parallel import Group
from models.specs import TrainingSpec
from tests.models.runs import SMOOTH

Make = Callable[..., TrainingSpec]
Run = Callable[..., list[training.Event]]

SECONDS = 90
MEANS_OF_THEIR_OWN = {"generator_norm": "none"}  # no batch norm: each image is looked at by itself
CASES: dict[str, dict[str, Any]] = {
    "alternating": {},
    "lazily penalised": {"penalties": [{"kind": "r1", "every_steps": 2}, {"kind": "lecam", "decay": 0.9}]},
    "two discriminator steps": {"discriminator_steps": 2},
    "accumulation": {"accumulation_steps": 2},
    "looking ahead": {
        "generator_optimizer": SMOOTH | {"kind": "extra_adam"},
        "discriminator_optimizer": SMOOTH | {"kind": "extra_adam"},
    },
    "flipped, with classes": {"augment": {"kind": "flip"}, "labels": True, "loss": {"kind": "least_squares"}},
}
STATISTICS: dict[str, Any] = {
    "architecture": {"kind": "dcgan", "latent_dim": 8, "channels": 4, "discriminator_norm": "batch"},
    "augment": {"kind": "adaptive", "speed_images": 1000},
    "checkpoint": {"every_images": 64},
}


@pytest.fixture(scope="module")
def make(tiny: Make) -> Make:
    """Return a function that makes specs of eight steps, or as many as 256 images allow."""

    def make(**changes: Any) -> TrainingSpec:
        base: dict[str, Any] = {
            "precision": "fp32",
            "architecture": MEANS_OF_THEIR_OWN | {"latent_dim": 8, "generator_widths": [16]},
            "penalties": [],
            "augment": {"kind": "none"},
            "loss": {"kind": "non_saturating"},
            "generator_optimizer": SMOOTH,
            "discriminator_optimizer": SMOOTH,
            "budget": {"images": 256, "seconds": None},
        }
        return tiny(**(base | changes))

    return make


@pytest.fixture(scope="module")
def pair(make: Make, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder in which two processes have recorded every run."""
    folder = tmp_path_factory.mktemp("pair")
    runs: dict[str, dict[str, Any]] = {name: {"spec": make(**case)} for name, case in CASES.items()}
    runs["statistics"] = {"spec": make(**STATISTICS)}
    runs["stopped"] = {"spec": make(**STATISTICS), "stop_at_step": 3}
    runs["resumed"] = {"spec": make(**STATISTICS), "resume": "stopped"}
    runs["evaluated"] = {"spec": make(dataset={"name": "ring"}, evaluation={"every_images": 128, "samples": 1000})}
    runs["seconds"] = {"spec": make(budget={"images": None, "seconds": 0.3})}
    runs["diverging"] = {
        "spec": make(
            generator_optimizer={"kind": "sgd", "lr": 1.0},
            discriminator_optimizer={"kind": "sgd", "lr": 1.0},
            loss={"kind": "wasserstein"},
            guard={"kind": "repair", "max_repairs": 100},
        )
    }
    told = {name: how | {"spec": how["spec"].model_dump(mode="json")} for name, how in runs.items()}
    (folder / "runs.json").write_text(json.dumps(told))
    _start_two(folder)
    return folder


def _start_two(folder: Path) -> None:
    """Start two processes as torchrun does. It keeps the meeting place itself."""
    store = distributed.TCPStore  # type: ignore[attr-defined]  # PyTorch documents it here, and imports it from elsewhere
    meeting = store("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    place = {
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(meeting.port),
        "TORCHELASTIC_USE_AGENT_STORE": "True",
        "TORCHELASTIC_RESTART_COUNT": "0",
        "GLOO_SOCKET_IFNAME": "lo",
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", "tests.models.pair", str(folder)]
    processes = []
    try:
        for rank in range(2):
            environment = os.environ | place | {"RANK": str(rank), "LOCAL_RANK": str(rank)}
            processes.append(subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True))
        said = [process.communicate(timeout=SECONDS)[1] for process in processes]
        assert not any(process.returncode for process in processes), "\n".join(said)
    finally:
        for process in processes:
            process.kill()
            process.wait()


def ticks(folder: Path, name: str, *, rank: int = 0) -> list[list[Any]]:
    """Return all ticks without the times."""
    seen = json.loads((folder / name / str(rank) / "events.json").read_text())
    return [[kind, images, _timeless(values)] for kind, images, values in seen]


def _timeless(values: dict[str, float]) -> dict[str, float]:
    return {key: value for key, value in values.items() if key != "images_per_second"}


def state_of(folder: Path, name: str, *, rank: int = 0) -> Snapshot:
    return read(folder / name / str(rank)).snapshot


def tensors(state: Snapshot) -> dict[str, torch.Tensor]:
    return {f"{part}/{name}": tensor for part, named in state.parts().items() for name, tensor in named.items()}


@pytest.mark.parametrize("case", CASES)
def test_two_processes_train_what_one_trains(pair: Path, make: Make, events: Run, case: str) -> None:
    alone = events(make(**CASES[case]))
    expected = [(event.images_seen, event.values) for event in alone if isinstance(event, training.Tick)]
    seen = [event for event in ticks(pair, case) if event[0] == "Tick"]
    assert len(seen) == len(expected) >= 3
    for (_, images, values), (expected_images, expected_values) in zip(seen, expected, strict=True):
        assert images == expected_images
        assert values == pytest.approx(_timeless(expected_values), rel=1e-4, abs=1e-5)
    (state,) = (event.snapshot for event in alone if isinstance(event, training.CheckpointDue))
    for name, tensor in tensors(state_of(pair, case)).items():
        torch.testing.assert_close(tensor, tensors(state)[name], rtol=1e-4, atol=1e-5, msg=name)


@pytest.mark.parametrize("case", [*CASES, "statistics", "stopped", "evaluated", "diverging", "seconds"])
def test_both_see_and_keep_the_same(pair: Path, case: str) -> None:
    """The equality is to the bit, and includes batch statistics, moving averages, running sums and the clock."""
    assert ticks(pair, case, rank=0) == ticks(pair, case, rank=1)
    first, second = (state_of(pair, case, rank=rank) for rank in (0, 1))
    assert first.progress == second.progress
    assert all(tensor.equal(tensors(second)[name]) for name, tensor in tensors(first).items())


def test_the_guard_takes_both_back(pair: Path) -> None:
    assert "Repaired" in {kind for kind, _, _ in ticks(pair, "diverging")}


def test_both_are_told_what_the_first_has_evaluated(pair: Path) -> None:
    assert [kind for kind, _, _ in ticks(pair, "evaluated", rank=1)].count("Evaluated") == 2


def test_a_wish_of_the_first_stops_both(pair: Path) -> None:
    assert [state_of(pair, "stopped", rank=rank).progress.images_seen for rank in (0, 1)] == [96, 96]


def test_a_resumed_run_is_the_one_that_was_not_stopped(pair: Path) -> None:
    """The runs are equal to the bit, as in one process."""
    whole = [event for event in ticks(pair, "statistics") if event[1] > 96]
    assert ticks(pair, "resumed") == whole
    ended, expected = tensors(state_of(pair, "resumed")), tensors(state_of(pair, "statistics"))
    assert all(tensor.equal(expected[name]) for name, tensor in ended.items())


def test_the_adaptive_augmentation_sees_all_images(pair: Path) -> None:
    """The augmentation's probability moves every four steps by the images of both processes, each counted once."""
    p = state_of(pair, "statistics").statistics["adaptive.p"].item()
    assert p == pytest.approx(min(round(p / 0.128), 2) * 0.128)
    assert state_of(pair, "stopped").statistics["adaptive.images"].item() == 96


def test_what_the_methods_of_a_group_say(pair: Path) -> None:
    found, other = (json.loads((pair / f"collected-{rank}.json").read_text()) for rank in (0, 1))
    scalar, upright, double, tainted = found["means"]
    assert (scalar, double) == (1.5, [1.5, 0.0])
    assert torch.tensor(upright)[0, 1, 2, 3] == 15
    assert torch.tensor(upright).sum() == 1.5 * 119 + 15
    assert math.isnan(tainted[0])
    assert tainted[1] == 1.5
    assert all(found["strides"])
    assert found["gathered"] == [[1.0, 1.0], [2.0, 2.0]]
    assert (found["agreed"], found["once"]) == (1.0, {"made by": 0})
    assert all(other[key] == found[key] for key in ("gathered", "agreed", "once"))


def test_a_group_leaves_no_threads(pair: Path) -> None:
    """Threads left over would sometimes abort the interpreter's end, and a finished training would count as a crash."""
    for rank in (0, 1):
        assert not [name for name in json.loads((pair / f"threads-{rank}.json").read_text()) if "gloo" in name]


def test_alone_nothing_is_copied() -> None:
    tensor = torch.ones(3)
    assert parallel.SOLO.mean([tensor])[0] is tensor
    assert parallel.SOLO.gather(tensor) is tensor


@pytest.mark.parametrize(
    ("processes", "accumulation_steps", "message"),
    [
        (3, 1, "batch_size 32 does not divide by 3 processes"),
        (4, 16, "batch_size 32 in 16 parts does not divide by 4 processes"),
    ],
)
def test_a_batch_that_cannot_be_shared_is_refused(
    make: Make, events: Run, processes: int, accumulation_steps: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        events(make(accumulation_steps=accumulation_steps), group=Group(rank=0, size=processes))
