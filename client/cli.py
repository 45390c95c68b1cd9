"""The command `saddle`."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from rich.console import Console
from rich.table import Table
from rich.text import Text
from typer.core import TyperGroup

from client import files, lines, partial, progress, settings
from client.client import Client
from client.errors import ApiError, SaddleError, UnexpectedAnswer, Unreachable
from client.schemas import Job, Schema

EXIT_CODES = {"succeeded": 0, "failed": 1, "diverged": 1, "cancelled": 2}
USAGE, REFUSED, UNREACHABLE, INTERRUPTED = 2, 3, 4, 130
QUIET_EVENTS = frozenset({"metrics", "samples"})

JobId = Annotated[str, typer.Argument(metavar="JOB", help="A job's id, job_…")]
Json = Annotated[bool, typer.Option("--json", help="Print the API's JSON, for scripts.")]


class Commands(TyperGroup):
    """Tells what went wrong in a line or two, without a traceback, and with an exit code that scripts can use."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except SaddleError as error:
            _complain(str(error) + _hint(error))
            raise typer.Exit(_exit_code(error)) from error
        except BrokenPipeError:
            raise
        except OSError as error:
            _complain(f"{error.strerror or error}: {error.filename or ''}")
            raise typer.Exit(USAGE) from error


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Train generative adversarial networks on a Saddle service (SADDLE_URL, SADDLE_API_KEY).",
    epilog=(
        "Exit codes: 0 done (a watched job succeeded), 1 the watched job failed or diverged, 2 it was cancelled or the "
        "command line, the file or the environment is wrong, 3 the service refused, 4 the service is out of reach."
    ),
)


@app.command()
def submit(
    file: Annotated[Path | None, typer.Argument(help="A part of a spec, as YAML or (.json) JSON.")] = None,
    *,
    preset: Annotated[str | None, typer.Option(help="The recipe that fills in the rest.")] = None,
    dataset: Annotated[str | None, typer.Option(help="A built-in dataset.")] = None,
    name: Annotated[str | None, typer.Option(help="A name for the job.")] = None,
    images: Annotated[int | None, typer.Option(help="Budget: images to train on.")] = None,
    seconds: Annotated[float | None, typer.Option(help="Budget: seconds to train for.")] = None,
    seed: Annotated[int | None, typer.Option(help="Determines all randomness of the run.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY.PATH=VALUE", help="Any field; the value is JSON, else a string."),
    ] = None,
    metadata: Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="A label to find it by.")] = None,
    idempotency_key: Annotated[str | None, typer.Option(help="The same key and spec never make a second job.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what the spec resolves to.")] = False,
    watch_: Annotated[bool, typer.Option("--watch", help="Then watch the job to its end.")] = False,
    as_json: Json = False,
) -> None:
    """Submit a job. Prints its id. Flags override the file, --set overrides both."""
    spec = partial.read(file) if file else {}
    partial.merge(
        spec,
        {
            "preset": preset,
            "dataset": {"kind": "builtin", "name": dataset} if dataset else None,
            "name": name,
            "budget": {"images": images, "seconds": seconds},
            "seed": seed,
        },
    )
    partial.put_pairs(spec, "metadata", metadata or [])
    for setting in set_ or []:
        partial.put(spec, setting)
    with _client() as client:
        if dry_run:
            estimate = client.dry_run(spec)
            for warning in estimate.warnings:
                _complain(f"warning: {warning}")
            _print_json(estimate)
            return
        job = client.create_job(spec, idempotency_key=idempotency_key)
        if as_json:
            _print_json(job)
        else:
            print(job.id, flush=True)
        if watch_:
            _watch(client, job.id)


@app.command()
def watch(job_id: JobId) -> None:
    """Show a job's progress until it ends; the exit code tells how."""
    with _client() as client:
        _watch(client, job_id)


@app.command("list")
def list_(
    status: Annotated[str | None, typer.Option(help="Only jobs in this state.")] = None,
    dataset: Annotated[str | None, typer.Option(help="Only jobs on this dataset.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 20,
    as_json: Json = False,
) -> None:
    """List jobs, newest first."""
    with _client() as client:
        jobs = list(client.jobs(status=status, dataset=dataset, limit=limit))
    if as_json:
        print(json.dumps([job.model_dump(mode="json") for job in jobs], indent=2))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("id", "name", "status", "done", "images", "dataset", "preset", "quality", "created"):
        table.add_column(heading, no_wrap=True)
    for job in jobs:
        table.add_row(*(Text(cell) for cell in _row(job)))
    _console().print(table)


def _row(job: Job) -> tuple[str, ...]:
    return (
        job.id,
        job.name or lines.UNKNOWN,
        job.status,
        lines.percent(job.progress.fraction),
        f"{job.progress.images_seen:,}",
        str(job.spec.get("dataset", {}).get("name", lines.UNKNOWN)),
        str(job.spec.get("preset", lines.UNKNOWN)),
        lines.quality(job) or lines.UNKNOWN,
        f"{job.created_at:%Y-%m-%d %H:%M}",
    )


@app.command()
def show(job_id: JobId, as_json: Json = False) -> None:
    """Show a job: its state, progress, quality and whole spec."""
    with _client() as client:
        job = client.job(job_id)
    if as_json:
        _print_json(job)
    else:
        print(yaml.safe_dump(job.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=120), end="")


@app.command()
def cancel(job_id: JobId) -> None:
    """Cancel a job; its last checkpoint stays."""
    with _client() as client:
        job = client.cancel_job(job_id)
    print(f"{job.id} {job.status}")


@app.command()
def delete(job_id: JobId) -> None:
    """Delete an ended job, its checkpoints and its events."""
    with _client() as client:
        client.delete_job(job_id)
    print(f"{job_id} deleted")


@app.command()
def sample(
    job_id: JobId,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="grid.png for a grid, samples.npz or samples.zip for the images.")
    ],
    count: Annotated[int | None, typer.Option(help="How many; the service's default is 64.")] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed and checkpoint give the same images.")] = None,
    checkpoint: Annotated[str | None, typer.Option(help="latest (the default), best or a checkpoint's id.")] = None,
) -> None:
    """Draw samples from a job's generator into a file."""
    suffix = output.suffix.lower()
    with _client() as client:
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


@app.command()
def logs(
    job_id: JobId,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the job has ended.")] = False,
    everything: Annotated[bool, typer.Option("--all", "-a", help="Every tick of the training series too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, for scripts.")] = False,
) -> None:
    """Print what happened to a job, oldest first."""
    with _client() as client:
        for event in client.follow_events(job_id) if follow else client.past_events(job_id):
            if everything or event.type not in QUIET_EVENTS:
                print(event.model_dump_json() if as_json else lines.event_line(event), flush=follow)


@app.command()
def presets(as_json: Json = False) -> None:
    """List the recipes."""
    with _client() as client:
        known = client.presets()
    if as_json:
        print(json.dumps([preset.model_dump(mode="json") for preset in known], indent=2))
        return
    for preset in known:
        print(f"{preset.name}\n    {preset.purpose}")


def _watch(client: Client, job_id: str) -> None:
    """Exits with what became of the job."""
    console = Console(stderr=True)
    try:
        job = progress.watch(client, job_id, console=console)
    except KeyboardInterrupt:
        _complain(f"{job_id} goes on: `saddle watch {job_id}` returns to it, `saddle cancel {job_id}` ends it")
        raise typer.Exit(INTERRUPTED) from None
    _complain("  ".join(part for part in (lines.ending(job), lines.quality(job)) if part))
    raise typer.Exit(EXIT_CODES.get(job.status, 1))


@contextmanager
def _client() -> Iterator[Client]:
    chosen = settings.read()
    with Client(chosen.url, chosen.key()) as client:
        yield client


def _console() -> Console:
    """Wide enough for a script to find whole lines where the output is no terminal."""
    console = Console()
    return console if console.is_terminal else Console(width=400)


def _print_json(answer: Schema) -> None:
    print(json.dumps(answer.model_dump(mode="json"), indent=2))


def _complain(text: str) -> None:
    print(text, file=sys.stderr)


def _exit_code(error: SaddleError) -> int:
    if isinstance(error, ApiError):
        return UNREACHABLE if error.status >= 500 else REFUSED
    return UNREACHABLE if isinstance(error, Unreachable | UnexpectedAnswer) else USAGE


def _hint(error: SaddleError) -> str:
    if not isinstance(error, ApiError) or error.status != 401:
        return ""
    chosen = settings.read()
    if chosen.api_key.get_secret_value():
        return "\nThe key in SADDLE_API_KEY is not one that this service knows."
    if chosen.key():
        return f"\nThe key in {chosen.api_key_file} is not this service's: set SADDLE_DATA_DIR or SADDLE_API_KEY."
    return f"\nNo key was sent: there is none in {chosen.api_key_file}. Set SADDLE_DATA_DIR or SADDLE_API_KEY."


if __name__ == "__main__":
    app()
