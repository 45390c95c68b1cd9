"""Ranks: the processes that train one job together, each with a share of every batch.

The runner is rank 0. It starts `python -m worker.ranks ADDRESS DEVICE` for each further rank and sends it the task.
Only rank 0 writes to the database and the disk: the events of the others are dropped.
"""

import gc
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Event, Thread

import structlog
import torch

from models import data, training
from models.checkpoints.checkpoint import Checkpoint
from models.runtime import parallel
from models.runtime.parallel import Group
from models.specs import TrainingSpec
from store import logs
from store.settings import Settings
from worker.process import die_with_parent

log = structlog.get_logger()
GRACE_SECONDS = 10.0
"""Time between another rank's death and the forced end of rank 0, which might wait for it for ever. Rank 0 can use
the time to record its own end."""


@dataclass(frozen=True)
class Task:
    spec: TrainingSpec
    resume: Checkpoint | None


def count(spec: TrainingSpec, *, limit: int, device: torch.device) -> int:
    """Return the number of ranks: the largest up to `limit` that divides a batch evenly and has a device for each."""
    if device.type == "cuda":
        limit = min(limit, torch.cuda.device_count())
    return max(number for number in range(1, limit + 1) if parallel.divides(spec, processes=number))


def device_of(rank: int, *, device: torch.device, number: int) -> torch.device:
    """Return a rank's device: a CUDA device of its own, or the CPU that all ranks share."""
    return torch.device(device.type, rank) if number > 1 and device.type == "cuda" else device


@contextmanager
def started(task: Task, *, number: int, device: torch.device) -> Iterator[Group]:
    """Start the other ranks and yield the group of all `number`; end them after the block. `device` is rank 0's.

    If another rank dies, this process ends too: with the error that waiting for it raises, or by force.
    """
    if number == 1:
        yield parallel.SOLO
        return
    leaving = Event()
    with tempfile.TemporaryDirectory(prefix="saddle-") as folder:
        # A file that only this user may open. A port would be open to every user of the machine. The descriptor stands
        # for the folder, whose own name may hold characters that mean something else in an address.
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        address = f"file:///proc/self/fd/{descriptor}/meeting?world_size={number}&rank="
        others = [
            _start(f"{address}{rank}", device=device_of(rank, device=device, number=number), keeps=descriptor)
            for rank in range(1, number)
        ]
        for other in others:
            Thread(target=_follow, args=(other, leaving, folder), daemon=True).start()
        try:
            with parallel.join(device=device, at=f"{address}0") as group:
                _share_cores(group)
                group.once(lambda: task)
                yield group
        finally:
            leaving.set()
            os.close(descriptor)
            for other in others:
                other.kill()
                other.wait()


def _start(address: str, *, device: torch.device, keeps: int) -> "subprocess.Popen[bytes]":
    """Start a rank in the runner's process group. They share standard error: the supervisor keeps its last lines."""
    return subprocess.Popen([sys.executable, "-m", "worker.ranks", address, str(device)], pass_fds=[keeps])


def _follow(other: "subprocess.Popen[bytes]", leaving: Event, folder: str) -> None:
    """End this process when another rank dies: the main thread may wait for it in a call that no exception reaches."""
    status = other.wait()
    if status == 0 or leaving.is_set():
        return
    log.error("a rank ended", pid=other.pid, exit_status=status)
    if not leaving.wait(GRACE_SECONDS):
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(1)


def _share_cores(group: Group) -> None:
    torch.set_num_threads(max(1, torch.get_num_threads() // group.size))


def _not_here() -> Task:
    raise AssertionError("the task comes from rank 0")


def main(arguments: list[str]) -> int:
    die_with_parent(os.getppid())
    logs.configure()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)  # rank 0 decides, and tells the group
    address, device = arguments[0], torch.device(arguments[1])
    settings = Settings.read()
    with parallel.join(device=device, at=address) as group:
        _share_cores(group)
        task = group.once(_not_here)
        dataset = data.load(task.spec.dataset, folder=settings.datasets_dir)
        gc.freeze()
        with suppress(training.Diverged):  # rank 0 records it
            deque(training.train(task.spec, dataset=dataset, device=device, resume=task.resume, group=group), maxlen=0)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
