"""`saddle sample`, `pin` and `unpin`: a job's checkpoints and their samples."""

from pathlib import Path
from typing import Annotated, Any

import typer

from saddle import files
from saddle.commands import terminal

CheckpointId = Annotated[str, typer.Argument(metavar="CHECKPOINT", help="A checkpoint's id, ckpt_…")]


def sample(
    job_id: terminal.JobId,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="grid.png for a grid, samples.npz or samples.zip for the images.")
    ],
    count: Annotated[int | None, typer.Option(help="How many; the service's default is 64.")] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed and checkpoint give the same images.")] = None,
    checkpoint: Annotated[str | None, typer.Option(help="latest (the default), best or a checkpoint's id.")] = None,
) -> None:
    """Draw samples from a job's generator into a file."""
    suffix = output.suffix.lower()
    with terminal.service() as client:
        match suffix:
            case ".png":
                grid = client.samples_png(job_id, count=count, seed=seed, checkpoint=checkpoint)
                content, source = grid.png, f" ({grid.checkpoint}, {grid.images_seen:,} images)"
            case ".npz" | ".zip":
                kind: Any = suffix.removeprefix(".")
                content = client.samples(job_id, count=count, seed=seed, checkpoint=checkpoint, file_format=kind)
                source = ""
            case _:
                raise typer.BadParameter(f"{output} must end in .png, .npz or .zip", param_hint="--output")
    files.write_whole(output, [content])
    print(f"{output}{source}")


def pin(job_id: terminal.JobId, checkpoint_id: CheckpointId) -> None:
    """Keep a checkpoint, however many are newer or better."""
    with terminal.service() as client:
        client.pin_checkpoint(job_id, checkpoint_id)
    print(f"{checkpoint_id} pinned")


def unpin(job_id: terminal.JobId, checkpoint_id: CheckpointId) -> None:
    """Unpin a checkpoint. Its job may then remove it in favour of newer or better ones."""
    with terminal.service() as client:
        client.unpin_checkpoint(job_id, checkpoint_id)
    print(f"{checkpoint_id} unpinned")
