"""`saddle watch` and `logs`: a job's progress and events, live and afterwards."""

from typing import Annotated

import typer
from rich.console import Console

from saddle import lines, progress
from saddle.client import Client
from saddle.commands import terminal

EXIT_CODES = {"succeeded": 0, "failed": 1, "diverged": 1, "cancelled": 2}
INTERRUPTED = 130
QUIET_EVENTS = frozenset({"metrics", "samples"})

Watch = Annotated[bool, typer.Option("--watch", help="Then watch the job to its end.")]


def watch(job_id: terminal.JobId) -> None:
    """Show a job's progress until it ends; the exit code tells how. A paused job is watched until it goes on."""
    with terminal.service() as client:
        to_the_end(client, job_id)


def logs(
    job_id: terminal.JobId,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the job has ended.")] = False,
    everything: Annotated[bool, typer.Option("--all", "-a", help="Every tick of the training series too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, for scripts.")] = False,
) -> None:
    """Print what happened to a job, oldest first."""
    with terminal.service() as client:
        titles = {} if as_json else terminal.titles(client)
        for event in client.follow_events(job_id) if follow else client.past_events(job_id):
            if everything or event.type not in QUIET_EVENTS:
                print(event.model_dump_json() if as_json else lines.event_line(event, titles), flush=follow)


def to_the_end(client: Client, job_id: str) -> None:
    """Watch the job to its end, then exit with a code that tells how it ended."""
    console = Console(stderr=True)
    titles = terminal.titles(client)
    try:
        job = progress.watch(client, job_id, titles=titles, console=console)
    except KeyboardInterrupt:
        terminal.complain(
            f"only the watching has ended: `saddle watch {job_id}` returns to it, `saddle cancel {job_id}` ends the job"
        )
        raise typer.Exit(INTERRUPTED) from None
    quality = lines.pairs(lines.quality(job), titles)
    terminal.complain("  ".join(part for part in (lines.ending(job), quality) if part))
    raise typer.Exit(EXIT_CODES.get(job.status, 1))
