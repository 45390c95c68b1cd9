"""Memory: what is free on a device, and whether a dataset is to take its share of it."""

import os
from pathlib import Path

import torch

SHARE = 0.5
"""Of the free memory, which a dataset may take at most: the rest is for the activations, which come later."""
MEMINFO = Path("/proc/meminfo")
CONTAINER_LIMIT = Path("/sys/fs/cgroup/memory.max")
UNKNOWN_BYTES = 4 * 2**30
"""Taken for free where the system does not say."""


def fits(dataset_bytes: int, *, free_bytes: int) -> bool:
    return dataset_bytes <= SHARE * free_bytes


def free_bytes(device: torch.device) -> int:
    """What a tensor on the device could take; of the host's memory, which may be a container's, for all but CUDA."""
    if device.type == "cuda":
        free, _total = torch.cuda.mem_get_info(device)
        return free
    return min(_available_bytes(), _limit_bytes())


def _available_bytes() -> int:
    lines = MEMINFO.read_text().splitlines() if MEMINFO.exists() else []
    for line in lines:
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return UNKNOWN_BYTES


def _limit_bytes() -> int:
    try:
        return int(CONTAINER_LIMIT.read_text())
    except (OSError, ValueError):  # not there, or "max"
        return 2**63
