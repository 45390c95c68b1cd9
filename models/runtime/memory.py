"""Memory: the free bytes on a device, and whether a dataset fits into its share of them."""

import os
from pathlib import Path

import torch

SHARE = 0.5
"""Largest share of the free memory that a dataset may take. The rest is for activations, allocated later."""
MEMINFO = Path("/proc/meminfo")
CONTAINER_LIMIT = Path("/sys/fs/cgroup/memory.max")
UNKNOWN_BYTES = 4 * 2**30
"""Free memory assumed if the system does not report it."""


def fits(dataset_bytes: int, *, free_bytes: int) -> bool:
    return dataset_bytes <= SHARE * free_bytes


def free_bytes(device: torch.device) -> int:
    """Return the free bytes of a CUDA device; for other devices those of the host, within its container's limit."""
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
