"""`saddle submit` and `fork`: new jobs, from parts of a spec."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from saddle import partial
from saddle.client import Client
from saddle.commands import terminal, watching
from saddle.partial import JsonObject
from saddle.schemas import Job

File = Annotated[Path | None, typer.Argument(help="A part of a spec, as YAML or (.json) JSON.")]
Name = Annotated[str | None, typer.Option(help="A name for the job.")]
Images = Annotated[int | None, typer.Option(help="Budget: images to train on.")]
Seconds = Annotated[float | None, typer.Option(help="Budget: seconds to train for.")]
Seed = Annotated[int | None, typer.Option(help="Determines all randomness of the run.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY.PATH=VALUE", help="Any field; the value is JSON, else a string."),
]
IdempotencyKey = Annotated[str | None, typer.Option(help="The same key and spec never make a second job.")]


def submit(
    file: File = None,
    *,
    preset: Annotated[str | None, typer.Option(help="The recipe that fills in the rest.")] = None,
    dataset: Annotated[str | None, typer.Option(help="A dataset's name or id.")] = None,
    name: Name = None,
    images: Images = None,
    seconds: Seconds = None,
    seed: Seed = None,
    set_: Settings = None,
    metadata: Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="A label to find it by.")] = None,
    idempotency_key: IdempotencyKey = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what the spec resolves to.")] = False,
    watch: watching.Watch = False,
    as_json: terminal.Json = False,
) -> None:
    """Submit a job. Prints its id. Flags override the file, --set overrides both."""
    flags: dict[str, Any] = {
        "preset": preset,
        "name": name,
        "budget": {"images": images, "seconds": seconds},
        "seed": seed,
    }
    with terminal.service() as client:
        flags["dataset"] = _dataset(client, dataset) if dataset else None
        spec = _part(file, flags, metadata=metadata or [], settings=set_ or [])
        if dry_run:
            estimate = client.dry_run(spec)
            for warning in estimate.warnings:
                terminal.complain(f"warning: {warning}")
            terminal.print_json(estimate)
            return
        job = client.create_job(spec, idempotency_key=idempotency_key)
        _tell(client, job, as_json=as_json, watch=watch)


def fork(
    job_id: terminal.JobId,
    file: File = None,
    *,
    checkpoint: Annotated[str, typer.Option(help="latest, best or a checkpoint's id.")] = "latest",
    name: Name = None,
    images: Annotated[int | None, typer.Option(help="Budget: those that the checkpoint has seen count.")] = None,
    seconds: Seconds = None,
    seed: Seed = None,
    set_: Settings = None,
    idempotency_key: IdempotencyKey = None,
    watch: watching.Watch = False,
    as_json: terminal.Json = False,
) -> None:
    """Start a job that goes on from another's checkpoint, with changes to its spec. Prints the new id.

    Flags override the file, --set overrides both. What none of them names stays as it is in JOB; the networks must.
    """
    flags = {"name": name, "budget": {"images": images, "seconds": seconds}, "seed": seed}
    changes = _part(file, flags, metadata=[], settings=set_ or [])
    with terminal.service() as client:
        job = client.fork_job(job_id, changes, checkpoint=checkpoint, idempotency_key=idempotency_key)
        _tell(client, job, as_json=as_json, watch=watch)


def _dataset(client: Client, name: str) -> JsonObject:
    """Return the dataset as a spec names it. An unknown name is left for the service to refuse."""
    found = client.datasets.find(name)
    if found is not None and found.kind == "uploaded":
        return {"kind": "uploaded", "id": found.id}
    return {"kind": "builtin", "name": name}


def _part(file: Path | None, flags: Mapping[str, Any], *, metadata: list[str], settings: list[str]) -> JsonObject:
    spec = partial.read(file) if file else {}
    partial.merge(spec, flags)
    partial.put_pairs(spec, "metadata", metadata)
    for setting in settings:
        partial.put(spec, setting)
    return spec


def _tell(client: Client, job: Job, *, as_json: bool, watch: bool) -> None:
    if as_json:
        terminal.print_json(job)
    else:
        print(job.id, flush=True)
    if watch:
        watching.to_the_end(client, job.id)
