"""The sandbox: a confined process can compute, and nothing else."""

import subprocess
import sys

CONFINED = """
import os, socket, subprocess, sys
import numpy
from models.data.importers import sandbox
sandbox.confine(memory_bytes=2**31)
tries = {
    "socket": socket.socket,
    "fork": os.fork,
    "exec": lambda: os.execv("/bin/true", ["true"]),
    "subprocess": lambda: subprocess.run(["/bin/true"]),
    "kill": lambda: os.kill(os.getppid(), 0),
    "file": lambda: open(sys.argv[1], "w").write("x" * 100000),
    "memory": lambda: numpy.ones(2**29),
}
for name, attempt in tries.items():
    try:
        attempt()
    except (OSError, MemoryError) as error:
        print(name, type(error).__name__)
    else:
        print(name, "allowed")
print(numpy.arange(4).sum())
"""


def test_a_confined_process_can_compute_and_nothing_else(tmp_path):
    command = [sys.executable, "-c", CONFINED, str(tmp_path / "file")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout.split("\n")[:-1] == [
        "socket PermissionError",
        "fork PermissionError",
        "exec PermissionError",
        "subprocess PermissionError",
        "kill PermissionError",
        "file OSError",
        "memory MemoryError",
        "6",
    ]
