"""`saddle datasets`: import files of pictures, and look after what was imported."""

from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from saddle import lines
from saddle.client import Client
from saddle.commands import terminal
from saddle.errors import InvalidRequest
from saddle.schemas import Dataset, DatasetReport

FAILED = 1
MOST_REFUSED = 10

app = typer.Typer(no_args_is_help=True, help="Bring your own pictures: import, list, report, delete.")
Which = Annotated[str, typer.Argument(metavar="DATASET", help="A dataset's id or name.")]


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="A name for the dataset.")],
    path: Annotated[Path, typer.Argument(help="A folder of pictures, a zip or tar archive, npz, IDX or parquet.")],
    *,
    resolution: Annotated[int | None, typer.Option(help="Pixels a side, 28 to 512. Default: by the pictures.")] = None,
    fit: Annotated[str | None, typer.Option(help="crop, pad or stretch pictures that are not square.")] = None,
    channels: Annotated[int | None, typer.Option(help="1 for grey, 3 for colour. Default: by the pictures.")] = None,
    labels: Annotated[str | None, typer.Option(help="folders, csv or none: where classes come from.")] = None,
    flips_natural: Annotated[bool, typer.Option("--flips-natural", help="Mirrored images are as likely.")] = False,
    background: Annotated[str | None, typer.Option(help="Behind transparent pixels, such as #ffffff.")] = None,
    holdout: Annotated[float | None, typer.Option(help="Share of images that is never trained on.")] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the import and print its report.")] = True,
    as_json: terminal.Json = False,
) -> None:
    """Import pictures. Prints the dataset's id."""
    wishes: dict[str, Any] = {"resolution": resolution, "fit": fit, "channels": channels, "labels": labels}
    wishes |= {"background": background, "holdout": holdout, "flips_natural": flips_natural or None}
    options = {key: value for key, value in wishes.items() if value is not None}
    with terminal.service() as client:
        with _bar() as bar:
            made = _upload(client, bar, path, name=name, options=options)
            if wait:
                made = _await_import(client, bar, made)
        if as_json:
            terminal.print_json(made)
        else:
            print(made.id, flush=True)
        if made.status == "ready" and not as_json:
            terminal.complain(summary(client.datasets.report(made.id)))
    if made.status == "failed":
        terminal.complain(f"the import failed: {made.reason.message if made.reason else 'for no reason that is known'}")
        raise typer.Exit(FAILED)


@app.command("list")
def list_(as_json: terminal.Json = False) -> None:
    """List the datasets: yours, newest first, then those that are built in."""
    with terminal.service() as client:
        found = list(client.datasets.list())
    if as_json:
        terminal.print_json_list(found)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("id", "name", "status", "images", "size", "classes"):
        table.add_column(heading, no_wrap=True)
    for dataset in found:
        table.add_row(*(Text(cell) for cell in _row(dataset)))
    terminal.console().print(table)


@app.command()
def show(dataset: Which, as_json: terminal.Json = False) -> None:
    """Show a dataset: its state, facts and options."""
    with terminal.service() as client:
        found = _find(client, dataset)
    if as_json:
        terminal.print_json(found)
    else:
        print(yaml.safe_dump(found.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=120), end="")


@app.command()
def report(dataset: Which, as_json: terminal.Json = False) -> None:
    """Tell what an imported file held, what became of each picture, and advice."""
    with terminal.service() as client:
        told = client.datasets.report(_find(client, dataset).id)
    if as_json:
        terminal.print_json(told)
    else:
        print(summary(told))


@app.command()
def cancel(dataset: Which) -> None:
    """Cancel an import."""
    with terminal.service() as client:
        found = client.datasets.cancel(_find(client, dataset).id)
    print(f"{found.id} {found.status}")


@app.command()
def delete(dataset: Which) -> None:
    """Delete an imported dataset, unless a job that has not ended needs it."""
    with terminal.service() as client:
        found = _find(client, dataset)
        client.datasets.delete(found.id)
    print(f"{found.id} deleted")


def summary(told: DatasetReport) -> str:
    """Return a report as lines for people."""
    colours = "grey" if told.channels == 1 else "colour"
    rows = [
        f"{told.images:,} images to train on and {told.holdout_images:,} held out, {told.resolution}x{told.resolution} "
        f"{colours}, {len(told.classes) or 'no'} classes",
        *(f"  {entry.images:,} {entry.what}" for entry in told.conversions),
    ]
    if told.duplicates.exact or told.duplicates.near:
        rows.append(f"  {told.duplicates.exact:,} duplicates, and {told.duplicates.near:,} that look like another")
    rows += [f"refused {entry.name}: {entry.reason}" for entry in told.refused_files[:MOST_REFUSED]]
    if told.refused > MOST_REFUSED:
        rows.append(f"refused {told.refused - MOST_REFUSED:,} more: `saddle datasets report --json` lists them")
    return "\n".join(rows + [f"advice: {advice}" for advice in told.advice])


def _find(client: Client, name: str) -> Dataset:
    found = client.datasets.get(name) if name.startswith("ds_") else client.datasets.find(name)
    if found is None:
        raise InvalidRequest(f"there is no dataset {name}: `saddle datasets list` lists them")
    return found


def _upload(client: Client, bar: Progress, path: Path, *, name: str, options: dict[str, Any]) -> Dataset:
    task = bar.add_task("upload", total=None)
    made = client.datasets.add(
        path, name=name, options=options, sent=lambda sent, total: bar.update(task, completed=sent, total=total)
    )
    bar.remove_task(task)
    return made


def _await_import(client: Client, bar: Progress, made: Dataset) -> Dataset:
    task = bar.add_task("import", total=made.progress.entries_total if made.progress else None)

    def show_progress(found: Dataset) -> None:
        if found.progress is not None:
            bar.update(task, completed=found.progress.entries)

    return client.datasets.wait(made.id, seen=show_progress)


def _bar() -> Progress:
    columns = TextColumn("{task.description}"), BarColumn(None), TextColumn("{task.percentage:>3.0f}%")
    return Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True)


def _row(dataset: Dataset) -> tuple[str, ...]:
    images = lines.UNKNOWN if dataset.images is None else f"{dataset.images:,}"
    size = lines.UNKNOWN if dataset.resolution is None else f"{dataset.resolution}x{dataset.resolution}"
    return dataset.id, dataset.name, dataset.status, images, size, str(len(dataset.classes) or lines.UNKNOWN)
