"""`saddle evaluate` and `compare`: figures with their intervals, and which differences exceed the noise."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.status import Status
from rich.table import Table
from rich.text import Text

from saddle import files, lines
from saddle.client import Client
from saddle.commands import terminal
from saddle.errors import InvalidRequest
from saddle.schemas import Comparison, Evaluation, MeasuredFigure

FAILED = 1


def evaluate(
    subject: Annotated[str, typer.Argument(metavar="JOB|CHECKPOINT", help="A job's id, or a checkpoint's.")],
    *,
    metric: Annotated[
        list[str] | None, typer.Option(help="A metric; repeat for more. Default: the usual ones.")
    ] = None,
    samples: Annotated[int | None, typer.Option(help="Generated images. Default: 10,000.")] = None,
    seed: Annotated[int | None, typer.Option(help="Determines the generated images. Default: 0.")] = None,
    extractor: Annotated[str | None, typer.Option(help="auto, garments, imagenet or inception.")] = None,
    reference: Annotated[str | None, typer.Option(help="holdout (the default) or train.")] = None,
    nearest: Annotated[
        Path | None,
        typer.Option(help="Write a PNG of the samples nearest to training images; needs --metric memorisation."),
    ] = None,
    as_json: terminal.Json = False,
) -> None:
    """Measure a checkpoint, or a job's best one, under a stated protocol."""
    wishes = {"samples": samples, "seed": seed, "extractor": extractor, "reference": reference}
    protocol = {key: value for key, value in wishes.items() if value is not None}
    if nearest is not None and "memorisation" not in (metric or []):
        raise InvalidRequest("--nearest shows what memorisation finds: add --metric memorisation")
    with terminal.service() as client:
        titles = terminal.titles(client)
        kind = "checkpoint" if subject.startswith("ckpt_") else "job"
        found = _measured(client, **{kind: subject}, metrics=metric or [], protocol=protocol)
        if nearest is not None and found.status == "succeeded":
            files.write_whole(nearest, [client.evaluations.nearest_png(found.id)])
    if as_json:
        terminal.print_json(found)
    else:
        terminal.console().print(_figures(found, titles))
        for name, reason in (found.unavailable or {}).items():
            terminal.complain(f"{name} cannot be measured: {reason}")
        print(_protocol(found.protocol))
    if found.status != "succeeded":
        terminal.complain(
            f"{found.id} {found.status}: {found.reason.message if found.reason else 'for no known reason'}"
        )
        raise typer.Exit(FAILED)


def compare(
    jobs: Annotated[list[str], typer.Argument(metavar="JOB...", help="Two jobs or more.")],
    *,
    samples: Annotated[int | None, typer.Option(help="Generated images of a new evaluation.")] = None,
    as_json: terminal.Json = False,
) -> None:
    """Compare jobs: what differs between them, and which figures differ beyond their noise.

    Jobs without figures under one protocol are evaluated first.
    """
    if len(jobs) < 2:
        raise InvalidRequest("name two jobs or more")
    with terminal.service() as client:
        found = client.evaluations.compare(jobs)
        lacking = [job.id for job in found.jobs if job.evaluation is None] if samples is None else list(jobs)
        for job_id in lacking:
            _measured(client, job=job_id, metrics=[], protocol={} if samples is None else {"samples": samples})
        if lacking:
            found = client.evaluations.compare(jobs)
    if as_json:
        terminal.print_json(found)
        return
    console = terminal.console()
    console.print(_settings(found))
    console.print(_side_by_side(found))
    print(_protocol(found.protocol))


def _measured(client: Client, **wish: Any) -> Evaluation:
    made = client.evaluations.create(**wish)
    with Status(f"{made.id} {made.status}", console=Console(stderr=True)) as shown:
        return client.evaluations.wait(
            made.id, seen=lambda found: shown.update(f"{found.id} {found.status} {found.progress.fraction:.0%}")
        )


def _figures(found: Evaluation, titles: lines.Titles) -> Table:
    table = _table("figure", "value", "95 % interval")
    for name, figure in (found.figures or {}).items():
        title = _titled(titles.get(name, name), figure)
        table.add_row(*(Text(cell) for cell in (title, lines.number(figure.value), _interval(figure))))
    return table


def _titled(title: str, figure: MeasuredFigure | None) -> str:
    return f"{title} ({figure.note})" if figure is not None and figure.note else title


def _settings(found: Comparison) -> Table:
    table = _table("setting", *(job.name or job.id for job in found.jobs))
    for path, values in found.settings.items():
        table.add_row(*(Text(cell) for cell in (path, *map(lines.number, values))))
    return table


def _side_by_side(found: Comparison) -> Table:
    """Return the figures. The best is marked by *, one that is worse beyond the noise by !."""
    table = _table("figure", *(job.name or job.id for job in found.jobs))
    for figure in found.figures:
        cells = []
        for place, (value, beyond) in enumerate(zip(figure.values, figure.beyond_noise, strict=True)):
            mark = " *" if place == figure.best else " !" if beyond else ""
            cells.append(lines.UNKNOWN if value is None else f"{lines.number(value.value)} ({_interval(value)}){mark}")
        title = _titled(figure.title, next((value for value in figure.values if value is not None), None))
        table.add_row(*(Text(cell) for cell in (title, *cells)))
    return table


def _interval(figure: MeasuredFigure) -> str:
    low, high = figure.interval
    return lines.UNKNOWN if low is None or high is None else f"{lines.number(low)} to {lines.number(high)}"


def _protocol(protocol: dict[str, Any] | None) -> str:
    if protocol is None:
        return "no protocol is shared by two of the jobs"
    features = f" in the features of {protocol['extractor']}" if protocol.get("extractor") else ""
    return (
        f"{protocol['samples']:,} samples, seed {protocol['seed']}, against {protocol['reference_images']:,} images of "
        f"{protocol['dataset']} ({protocol['reference']}){features}"
    )


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, no_wrap=True)
    return table
