"""`python -m embedded.demo`: the default recipe through the whole service, from the POST to the picture."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from client import lines, progress
from client.client import Client
from client.errors import SaddleError
from embedded.redis import free_port
from store.settings import Settings

PICTURE = Path("demo.png")
SPEC = {"name": "demo", "budget": {"images": None, "seconds": 200}}
START_SECONDS = 60.0


def demo(console: Console) -> int:
    """The exit status."""
    settings = Settings()
    port = free_port()  # whatever runs on the usual port is left alone
    with _stack(settings, port=port) as log:
        key = _await_file(settings.api_key_file, log=log)
        with Client(f"http://127.0.0.1:{port}", key) as client:
            _await_ready(client, log=log)
            job = client.create_job(SPEC)
            console.print(
                f"job {job.id}: preset {job.spec['preset']} on {job.spec['dataset']['name']}", highlight=False
            )
            job = progress.watch(client, job.id, console=console)
            if job.status != "succeeded":
                console.print(f"the job has {job.status}: {job.reason and job.reason.message}; see {log}")
                return 1
            grid = client.samples_png(job.id, count=64)
            PICTURE.write_bytes(grid.png)
    console.print(lines.ending(job), highlight=False)
    console.print(f"quality: {lines.quality(job)}", highlight=False)
    console.print(f"64 samples: {PICTURE.absolute()}", highlight=False)
    return 0


@contextlib.contextmanager
def _stack(settings: Settings, *, port: int) -> Iterator[Path]:
    """The service in a process of its own, gone at the block's end; the path of its log."""
    log = settings.data_dir / "log" / "demo.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "SADDLE_PORT": str(port), "SADDLE_HOST": "127.0.0.1"}
    with log.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "embedded.serve"], stdout=file, stderr=subprocess.STDOUT, env=environment
        )
    try:
        yield log
    finally:
        process.terminate()
        process.wait()


def _await_file(path: Path, *, log: Path) -> str:
    deadline = time.monotonic() + START_SECONDS
    while not path.is_file():
        if time.monotonic() > deadline:
            raise SaddleError(f"the service did not start within {START_SECONDS:.0f} s; see {log}")
        time.sleep(0.1)
    return path.read_text().strip()


def _await_ready(client: Client, *, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            if client.readiness().ready:
                return
        except SaddleError:
            if time.monotonic() > deadline:
                raise
        if time.monotonic() > deadline:
            raise SaddleError(f"the service was not ready within {START_SECONDS:.0f} s; see {log}")
        time.sleep(0.2)


if __name__ == "__main__":
    console = Console()
    try:
        sys.exit(demo(console))
    except SaddleError as error:
        sys.exit(f"error: {error}")
