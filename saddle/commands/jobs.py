"""`saddle list`, `show`, `pause`, `resume`, `retry`, `cancel` and `delete`: jobs that exist."""

from typing import Annotated

import typer
import yaml
from rich.table import Table
from rich.text import Text

from saddle import lines
from saddle.commands import terminal
from saddle.schemas import Job


def list_(
    status: Annotated[str | None, typer.Option(help="Only jobs in this state.")] = None,
    dataset: Annotated[str | None, typer.Option(help="Only jobs on this dataset.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 20,
    as_json: terminal.Json = False,
) -> None:
    """List jobs, newest first."""
    with terminal.service() as client:
        found = list(client.jobs(status=status, dataset=dataset, limit=limit))
        titles = {} if as_json else terminal.titles(client)
    if as_json:
        terminal.print_json_list(found)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("id", "name", "status", "done", "images", "dataset", "preset", "quality", "created"):
        table.add_column(heading, no_wrap=True)
    for job in found:
        table.add_row(*(Text(cell) for cell in _row(job, titles)))
    terminal.console().print(table)


def show(job_id: terminal.JobId, as_json: terminal.Json = False) -> None:
    """Show a job: its state, progress, quality and whole spec."""
    with terminal.service() as client:
        job = client.job(job_id)
    if as_json:
        terminal.print_json(job)
    else:
        print(yaml.safe_dump(job.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=120), end="")


def pause(job_id: terminal.JobId) -> None:
    """Pause a job. A running one saves its state first."""
    with terminal.service() as client:
        _print_status(client.pause_job(job_id))


def resume(job_id: terminal.JobId) -> None:
    """Queue a paused job, which goes on where it stood."""
    with terminal.service() as client:
        _print_status(client.resume_job(job_id))


def retry(job_id: terminal.JobId) -> None:
    """Queue a failed or diverged job, which goes on from its newest checkpoint."""
    with terminal.service() as client:
        _print_status(client.retry_job(job_id))


def cancel(job_id: terminal.JobId) -> None:
    """Cancel a job for good; its last checkpoint stays."""
    with terminal.service() as client:
        _print_status(client.cancel_job(job_id))


def delete(job_id: terminal.JobId) -> None:
    """Delete an ended job, its checkpoints and its events."""
    with terminal.service() as client:
        client.delete_job(job_id)
    print(f"{job_id} deleted")


def _row(job: Job, titles: lines.Titles) -> tuple[str, ...]:
    return (
        job.id,
        job.name or lines.UNKNOWN,
        job.status,
        lines.percent(job.progress.fraction),
        f"{job.progress.images_seen:,}",
        str(job.spec.get("dataset", {}).get("name", lines.UNKNOWN)),
        str(job.spec.get("preset", lines.UNKNOWN)),
        lines.pairs(lines.quality(job), titles) or lines.UNKNOWN,
        f"{job.created_at:%Y-%m-%d %H:%M}",
    )


def _print_status(job: Job) -> None:
    print(f"{job.id} {job.status}")
