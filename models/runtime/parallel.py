"""Parallel: the group of processes that train one job together, each with a share of every batch.

All of a group make the same calls in the same order: every method below waits for the others.
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
"""For one call. Whoever waits must outlast an evaluation or a checkpoint of the first process."""


@dataclass(frozen=True)
class Group:
    """Processes with ranks 0, 1, ..., size - 1. Alone, a process is given back what it brings, at no cost."""

    rank: int
    size: int

    def mean(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """The means over the processes, floating-point tensors of the same shapes and strides; the same bits for all.

        One message a format, however many tensors. What is not finite in one process is so in the mean.
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
        """The processes' tensors, all of one shape, one after another along the first dimension."""
        if self.size == 1:
            return tensor
        everyones = [torch.empty_like(tensor, memory_format=torch.contiguous_format) for _ in range(self.size)]
        distributed.all_gather(everyones, tensor.contiguous())
        return torch.cat(everyones)

    def agree(self, value: float) -> float:
        """What the first process brings. Clocks and wishes differ; the course of a run must not."""
        if self.size == 1:
            return value
        told = torch.tensor(value, dtype=torch.float64)
        distributed.broadcast(told, src=0)
        return told.item()

    def once(self, work: Callable[[], T]) -> T:
        """What the first process makes; the others wait for it. If it raises there, they wait until it ends."""
        if self.size == 1:
            return work()
        told = [work() if self.rank == 0 else None]
        distributed.broadcast_object_list(told, src=0, device=CPU)
        return cast(T, told[0])


SOLO = Group(rank=0, size=1)


@contextmanager
def join(*, device: torch.device, at: str = "env://") -> Iterator[Group]:
    """Meets the other processes and is one of their group for the time of the context.

    As torchrun has it, RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT tell where, else an address with `rank` and
    `world_size` in its query. Tensors on a CUDA device go by NCCL, those on the CPU by Gloo. After an error the group
    is left as it is, as taking leave would mean to wait for the others: the process is to end.
    """
    # The default group of its functions is that of the time of its import, and training imports it sooner or later: the
    # group would not end here but with the interpreter, and its threads would now and then abort that.
    importlib.import_module("torch.distributed.nn.functional")
    if device.type == "cuda":
        torch.cuda.set_device(device)
        distributed.init_process_group("cpu:gloo,cuda:nccl", init_method=at, timeout=TIMEOUT, device_id=device)
    else:
        distributed.init_process_group("gloo", init_method=at, timeout=TIMEOUT)
    yield Group(rank=distributed.get_rank(), size=distributed.get_world_size())
    distributed.destroy_process_group()


def own(device: torch.device) -> torch.device:
    """The device of its kind that is this process's own: the GPU with torchrun's LOCAL_RANK; the CPU is everybody's."""
    if device.type == "cpu" or device.index is not None:
        return device
    return torch.device(device.type, distributed.get_node_local_rank(fallback_rank=0))


def divides(spec: specs.TrainingSpec, *, processes: int) -> bool:
    """Whether the parts of a batch can be cut into equal shares of two images or more, one a process."""
    images, rest = divmod(spec.batch_size, spec.accumulation_steps * processes)
    return rest == 0 and (processes == 1 or images >= 2)


def check(spec: specs.TrainingSpec, *, processes: int) -> None:
    """Raises ValueError unless a batch divides."""
    if not divides(spec, processes=processes):
        parts = f" in {spec.accumulation_steps} parts" if spec.accumulation_steps > 1 else ""
        raise ValueError(
            f"batch_size {spec.batch_size}{parts} does not divide by {processes} processes into shares of two images "
            "or more"
        )
