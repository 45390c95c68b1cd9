"""Parallel: the group of processes that train one job together, each with a share of every batch.

All processes of a group must make the same calls in the same order, because every method waits for the others.
"""

import importlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar, cast

import torch
from torch import Tensor, distributed

from models import specs

T = TypeVar("T")

CPU = torch.device("cpu")
TIMEOUT = timedelta(minutes=30)
"""Timeout of one call. It must be longer than an evaluation or a checkpoint, during which the others wait."""


@dataclass(frozen=True)
class Group:
    """Processes with ranks 0, 1, ..., size - 1. In a group of one, every method returns its input at no cost."""

    rank: int
    size: int

    def mean(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """Return the means over the processes, in the tensors' shapes and strides, bit-identical in all processes.

        The tensors are floating-point, and of the same shapes and strides in all processes. One message is sent for
        each number format. A value that is not finite in one process is not finite in the mean.
        """
        if self.size == 1:
            return list(tensors)
        means = [torch.empty_like(tensor) for tensor in tensors]
        for dtype in dict.fromkeys(tensor.dtype for tensor in tensors):
            chosen = [place for place, tensor in enumerate(tensors) if tensor.dtype == dtype]
            flat = torch.cat([tensors[place].detach().reshape(-1) for place in chosen])
            distributed.all_reduce(flat)
            flat /= self.size
            pieces = torch.split(flat, [tensors[place].numel() for place in chosen])
            shaped = [piece.view(tensors[place].shape) for place, piece in zip(chosen, pieces, strict=True)]
            torch._foreach_copy_([means[place] for place in chosen], shaped)
        return means

    def gather(self, tensor: Tensor) -> Tensor:
        """Return the processes' tensors, all of one shape, concatenated along the first dimension by rank."""
        if self.size == 1:
            return tensor
        everyones = [torch.empty_like(tensor, memory_format=torch.contiguous_format) for _ in range(self.size)]
        distributed.all_gather(everyones, tensor.contiguous())
        return torch.cat(everyones)

    def agree(self, value: float) -> float:
        """Return the first process's value. Clocks and stop signals differ between processes; decisions must not."""
        if self.size == 1:
            return value
        told = torch.tensor(value, dtype=torch.float64)
        distributed.broadcast(told, src=0)
        return told.item()

    def once(self, work: Callable[[], T]) -> T:
        """Call `work` in the first process; return its result in all. If it raises, the others wait until it ends."""
        if self.size == 1:
            return work()
        told = [work() if self.rank == 0 else None]
        distributed.broadcast_object_list(told, src=0, device=CPU)
        return cast(T, told[0])


SOLO = Group(rank=0, size=1)


@contextmanager
def join(*, device: torch.device, at: str = "env://") -> Iterator[Group]:
    """Join the other processes in a group for the duration of the context.

    The default address reads RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT from the environment, as torchrun sets them.
    Any other address has `rank` and `world_size` in its query. Tensors on a CUDA device are sent by NCCL, those on the
    CPU by Gloo. After an error the group is not destroyed, because that would wait for the other processes: the process
    should end.
    """
    # This module binds the default group at its import, and training imports it sooner or later. Imported after the
    # group exists, it would keep the group until the interpreter exits, where the group's threads sometimes abort.
    importlib.import_module("torch.distributed.nn.functional")
    if device.type == "cuda":
        torch.cuda.set_device(device)
        distributed.init_process_group("cpu:gloo,cuda:nccl", init_method=at, timeout=TIMEOUT, device_id=device)
    else:
        distributed.init_process_group("gloo", init_method=at, timeout=TIMEOUT)
    yield Group(rank=distributed.get_rank(), size=distributed.get_world_size())
    distributed.destroy_process_group()


def own(device: torch.device) -> torch.device:
    """Return this process's device of a kind: the GPU with torchrun's LOCAL_RANK, or the CPU, which all share."""
    if device.type == "cpu" or device.index is not None:
        return device
    return torch.device(device.type, distributed.get_node_local_rank(fallback_rank=0))


def divides(spec: specs.TrainingSpec, *, processes: int) -> bool:
    """Return whether the parts of a batch divide into equal shares of two images or more, one for each process."""
    images, rest = divmod(spec.batch_size, spec.accumulation_steps * processes)
    return rest == 0 and (processes == 1 or images >= 2)


def check(spec: specs.TrainingSpec, *, processes: int) -> None:
    """Raise ValueError unless a batch divides."""
    if not divides(spec, processes=processes):
        parts = f" in {spec.accumulation_steps} parts" if spec.accumulation_steps > 1 else ""
        raise ValueError(
            f"batch_size {spec.batch_size}{parts} does not divide by {processes} processes into shares of two images "
            "or more"
        )
