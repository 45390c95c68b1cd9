"""A stack that runs for the length of a block, for the demo and the benchmarks."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from embedded.redis import free_port
from saddle.client import Client
from saddle.errors import SaddleError, Unreachable

START_SECONDS = 180.0
"""Generous: a first start compiles the packages to bytecode, and other work may share the cores."""


@contextlib.contextmanager
def running(data_dir: Path) -> Iterator[Client]:
    """Start the service on a free port; end it at the block's end. Raises SaddleError."""
    port = free_port()  # whatever runs on the usual port is left alone
    log = data_dir / "log" / "stack.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    settings = {"SADDLE_PORT": str(port), "SADDLE_HOST": "127.0.0.1", "SADDLE_DATA_DIR": str(data_dir.absolute())}
    with log.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "embedded.serve"],
            stdout=file,
            stderr=subprocess.STDOUT,
            env={**os.environ, **settings},
        )
    try:
        key = _await_ready(process, url=f"http://127.0.0.1:{port}", key_file=data_dir / "api-key", log=log)
        with Client(f"http://127.0.0.1:{port}", key) as client:
            yield client
    finally:
        process.terminate()
        process.wait()


def _await_ready(process: subprocess.Popen[bytes], *, url: str, key_file: Path, log: Path) -> str:
    """Wait until everything answers; return the admin key."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SaddleError(f"the service ended at once: {log.read_text().strip().splitlines()[-1]}")
        with contextlib.suppress(Unreachable), Client(url, "") as anybody:
            if anybody.readiness().ready and key_file.is_file():
                return key_file.read_text().strip()
        time.sleep(0.2)  # only the answer to a request says that it is ready
    raise SaddleError(f"the service was not ready within {START_SECONDS:.0f} s; see {log}")
