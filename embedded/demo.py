"""`python -m embedded.demo`: the default recipe through the whole service, from the POST to the picture."""

import sys
from pathlib import Path

from rich.console import Console

from embedded import stack
from saddle import lines, progress
from saddle.commands import terminal
from saddle.errors import SaddleError
from store.settings import Settings

PICTURE = Path("demo.png")
SPEC = {"name": "demo", "budget": {"images": None, "seconds": 200}}


def demo(console: Console) -> int:
    """Train, draw and print; return the exit status."""
    with stack.running(Settings.read().data_dir) as client:
        titles = terminal.titles(client)
        job = client.create_job(SPEC)
        console.print(f"job {job.id}: preset {job.spec['preset']} on {job.spec['dataset']['name']}", highlight=False)
        job = progress.watch(client, job.id, titles=titles, console=console)
        if job.status != "succeeded":
            console.print(f"the job has {job.status}: {job.reason and job.reason.message}")
            return 1
        grid = client.samples_png(job.id, count=64)
        PICTURE.write_bytes(grid.png)
    console.print(lines.ending(job), highlight=False)
    console.print(f"quality: {lines.pairs(lines.quality(job), titles)}", highlight=False)
    console.print(f"64 samples: {PICTURE.absolute()}", highlight=False)
    return 0


if __name__ == "__main__":
    console = Console()
    try:
        sys.exit(demo(console))
    except SaddleError as error:
        sys.exit(f"error: {error}")
