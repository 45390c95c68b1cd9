"""The machine that figures are measured on."""

import os
import platform
import re
from dataclasses import dataclass
from pathlib import Path

import torch


@dataclass(frozen=True)
class Machine:
    processor: str
    cores: int
    threads: int
    """The number of threads that PyTorch computes with."""

    def __str__(self) -> str:
        return f"{self.threads} of {self.cores} cores of {self.processor}"


def this() -> Machine:
    facts = Path("/proc/cpuinfo")
    named = re.search(r"^model name\s*: (.+)$", facts.read_text(), re.MULTILINE) if facts.exists() else None
    processor = named[1].strip() if named else platform.processor() or platform.machine()
    return Machine(processor, cores=len(os.sched_getaffinity(0)), threads=torch.get_num_threads())
