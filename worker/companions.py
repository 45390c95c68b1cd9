"""Companions: the processes that train a job beside its trainer, each with a share of every batch.

`python -m worker.companions ADDRESS DEVICE` is one. It gets its task from the trainer and what it yields is lost: the
trainer, the first of the group, writes everything down.
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
"""From the death of a companion to the end of a trainer that waits for it in vain; a trainer that is about to end by
itself has time to write down how."""


@dataclass(frozen=True)
class Task:
    spec: TrainingSpec
    resume: Checkpoint | None


def most(spec: TrainingSpec, *, limit: int, device: torch.device) -> int:
    """How many processes train: up to a limit, as many as share a batch evenly and have a device each."""
    if device.type == "cuda":
        limit = min(limit, torch.cuda.device_count())
    return max(number for number in range(1, limit + 1) if parallel.divides(spec, processes=number))


def device_of(rank: int, *, device: torch.device, number: int) -> torch.device:
    """CUDA devices are one a process; the CPU is everybody's."""
    return torch.device(device.type, rank) if number > 1 and device.type == "cuda" else device


@contextmanager
def gathered(task: Task, *, number: int, device: torch.device) -> Iterator[Group]:
    """The trainer's group of so many processes, the others started for it and ended after it; `device` is its own.

    Should one of them die, this process ends too: with an error, if the waiting for it raises one, or else by force.
    """
    if number == 1:
        yield parallel.SOLO
        return
    leaving = Event()
    with tempfile.TemporaryDirectory(prefix="saddle-") as folder:
        # A file that nobody else may open, where a port would be open to others.
        address = f"file://{folder}/meeting?world_size={number}&rank="
        companions = [
            _start(f"{address}{rank}", device=device_of(rank, device=device, number=number))
            for rank in range(1, number)
        ]
        for companion in companions:
            Thread(target=_follow, args=(companion, leaving, folder), daemon=True).start()
        try:
            with parallel.join(device=device, at=f"{address}0") as group:
                _share_cores(group)
                group.once(lambda: task)
                yield group
        finally:
            leaving.set()
            for companion in companions:
                companion.kill()
                companion.wait()


def _start(address: str, *, device: torch.device) -> "subprocess.Popen[bytes]":
    """In the trainer's process group and with its standard error, whose last words the supervisor keeps."""
    return subprocess.Popen([sys.executable, "-m", "worker.companions", address, str(device)])


def _follow(companion: "subprocess.Popen[bytes]", leaving: Event, folder: str) -> None:
    """Ends this process when a companion dies. The main thread may wait for the dead where no exception reaches it."""
    status = companion.wait()
    if status == 0 or leaving.is_set():
        return
    log.error("a companion ended", pid=companion.pid, exit_status=status)
    if not leaving.wait(GRACE_SECONDS):
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(1)


def _share_cores(group: Group) -> None:
    torch.set_num_threads(max(1, torch.get_num_threads() // group.size))


def _not_here() -> Task:
    raise AssertionError("the task comes from the trainer, which is the first of the group")


def main(arguments: list[str]) -> int:
    die_with_parent(os.getppid())
    logs.configure()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)  # the trainer decides, and tells the group
    address, device = arguments[0], torch.device(arguments[1])
    settings = Settings()
    with parallel.join(device=device, at=address) as group:
        _share_cores(group)
        task = group.once(_not_here)
        dataset = data.load(task.spec.dataset, folder=settings.datasets_dir)
        gc.freeze()
        with suppress(training.Diverged):  # the trainer writes it down
            deque(training.train(task.spec, dataset=dataset, device=device, resume=task.resume, group=group), maxlen=0)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
