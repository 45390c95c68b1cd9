"""The command `python -m benchmarks.gpu`: does Saddle compute right on this GPU, and how fast? At most six minutes.

Needs torch, numpy, pydantic, safetensors and pillow, and no network. To bring these to a machine without one, run where
there is one, with the same Python and the other machine's kind of torch,

    pip download --dest wheels torch numpy pydantic safetensors pillow

and there, with the folder `wheels` copied beside this checkout,

    pip install --no-index --find-links wheels torch numpy pydantic safetensors pillow
    python -m benchmarks.gpu

It prints a table and writes it as JSON. A check that fails, or takes too long, does not stop the others. The exit
status is 1 if any failed and 2 if there is no GPU. `--device cpu` does the same on a processor, with small networks and
without what only a GPU has: that tests the checks and says nothing about a GPU.
"""

import argparse
import functools
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from benchmarks import machine
from benchmarks.gpu import agreement, findings, runs, speed, streaming
from benchmarks.gpu.findings import Finding
from benchmarks.gpu.tasks import Bench

SECONDS = 350.0
"""The time limit of all checks together."""
CHECKS: dict[str, tuple[Callable[[Bench], Iterator[Finding]], float]] = {
    "presets": (agreement.check_presets, 70.0),
    "formats": (agreement.check_formats, 30.0),
    "streaming": (streaming.check_streaming, 15.0),
    "resume": (runs.check_resume, 45.0),
    "speed": (speed.measure, 120.0),
    "compiled": (runs.check_compiled, 120.0),
}
"""The checks by name, each with the seconds that it may take at most."""


def check(bench: Bench, names: list[str], path: Path) -> list[Finding]:
    """Run checks by name. The file has the findings so far after each of them."""
    deadline = time.monotonic() + SECONDS
    found: list[Finding] = []
    for name in names:
        function, limit = CHECKS[name]
        print(f"{name} …", file=sys.stderr, flush=True)
        seconds = max(min(limit, deadline - time.monotonic()), 0.0)
        found += findings.run(name, functools.partial(function, bench), seconds=seconds)
        findings.save(path, found, machine=facts(bench.device))
    return found


def facts(device: torch.device) -> dict[str, Any]:
    told: dict[str, Any] = {"processor": str(machine.this()), "torch": torch.__version__}
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        told |= {"gpu": properties.name, "memory_bytes": properties.total_memory, "cuda": torch.version.cuda}
    return told


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--quick", action="store_true", help="measure speed half as long")
    parser.add_argument("--only", nargs="+", choices=CHECKS, default=list(CHECKS))
    parser.add_argument("--json", type=Path, default=Path("gpu.json"), help="the file to write")
    arguments = parser.parse_args()
    if arguments.device == "cuda" and not torch.cuda.is_available():
        print("no GPU: PyTorch finds no CUDA device here (--device cpu tests the checks themselves)", file=sys.stderr)
        return 2
    small = arguments.device == "cpu"
    seconds = (0.4 if small else 8.0) / (2 if arguments.quick else 1)
    bench = Bench(torch.device(arguments.device), small=small, seconds=seconds)
    began = time.monotonic()
    found = check(bench, arguments.only, arguments.json)
    told = facts(bench.device) | {"seconds": round(time.monotonic() - began, 1)}
    findings.save(arguments.json, found, machine=told)
    print(f"{findings.table(found)}\n\n{', '.join(f'{name} {fact}' for name, fact in told.items())}")
    return 1 if any(one.state == "FAILED" for one in found) else 0


if __name__ == "__main__":
    sys.exit(main())
