"""The command `python -m benchmarks.families`: which is better, a GAN or a VAE? It writes docs/families.

Both presets train on one service for the same time, from five seeds each, and `saddle compare`'s figures are put side
by side. `--only` measures one dataset; the table of the other stays as it is. Emoji come from `make emoji`.
"""

import argparse
import math
import shlex
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from benchmarks import machine, own_pictures
from benchmarks.machine import Machine
from embedded import stack
from models.evaluators.measured import student
from saddle.client import Client
from store.settings import Settings

PRESETS = ("robust", "vae")
SEEDS = range(5)
PAGE, ROWS = "README.md", "families.json"
ABOUT = """# A GAN or a VAE?

The presets `robust` (a GAN) and `vae` train for the same time on the same machine, with the same generator network.
Figures compare samples with images that were held out; [docs/evaluations.md](../evaluations.md) says what each means. A
cell is the mean over {seeds} seeds and the 95 % interval of that mean (Student's t). One is better where the 95 %
interval of the differences, seed by seed, does not hold 0. Pictures are samples of seed 0, none of them chosen.
`python -m benchmarks.families` makes this page anew, and [families.json](families.json).
"""


@dataclass(frozen=True)
class Subject:
    """A dataset to compare on."""

    title: str
    seconds: float
    metrics: tuple[str, ...]
    samples: int
    emoji_side: int | None = None
    """The resolution of emoji; None: the default dataset."""


SUBJECTS = {
    "fashion-mnist": Subject("Fashion-MNIST", 60.0, ("fid", "precision_recall", "coverage", "path_length"), 10_000),
    "emoji": Subject(
        "Emoji at 32x32", 150.0, ("kid", "fd64", "precision_recall", "coverage", "path_length"), 2_000, emoji_side=32
    ),
}


@dataclass(frozen=True)
class Line:
    title: str
    better: str | None
    values: dict[str, tuple[float, ...]]
    """The values by preset, one a seed."""


@dataclass(frozen=True)
class Table:
    name: str
    seconds: float
    samples: int
    lines: tuple[Line, ...]
    images_seen: dict[str, tuple[int, ...]]
    command: str
    machine: Machine


TABLES = TypeAdapter(list[Table])
"""Reads and writes the tables as JSON."""


def measure(client: Client, name: str, *, folder: Path, command: str) -> Table:
    """Train, evaluate and compare; write the pictures into a folder."""
    subject = SUBJECTS[name]
    part = {"dataset": _dataset(client, subject)} if subject.emoji_side else {}
    jobs = {
        (preset, seed): _trained(client, part | {"preset": preset, "seed": seed}, seconds=subject.seconds)
        for seed in SEEDS
        for preset in PRESETS
    }
    for job_id in jobs.values():
        made = client.evaluations.create(job=job_id, metrics=subject.metrics, protocol={"samples": subject.samples})
        found = client.evaluations.wait(made.id, seen=lambda _: None)
        print(f"{job_id}: {found.status}", file=sys.stderr, flush=True)
    compared = client.evaluations.compare(list(jobs.values()))
    better = {figure.name: figure.better for figure in client.figures()}
    lines = []
    for figure in compared.figures:
        values = dict(zip(jobs, figure.values, strict=True))
        by_preset = {
            preset: tuple(value.value for (one, _), value in values.items() if one == preset and value is not None)
            for preset in PRESETS
        }
        lines.append(Line(figure.title, better.get(figure.name), by_preset))
    for preset in PRESETS:
        (folder / _picture(name, preset)).write_bytes(client.samples_png(jobs[preset, 0], count=32).png)
    return Table(
        name=name,
        seconds=subject.seconds,
        samples=subject.samples,
        lines=tuple(lines),
        images_seen={
            preset: tuple(client.job(jobs[preset, seed]).progress.images_seen for seed in SEEDS) for preset in PRESETS
        },
        command=command,
        machine=machine.this(),
    )


def _dataset(client: Client, subject: Subject) -> dict[str, Any]:
    assert subject.emoji_side is not None
    made = client.datasets.add(own_pictures.emoji(), name="emoji", options={"resolution": subject.emoji_side})
    imported = client.datasets.wait(made.id, seen=lambda _: None)
    return {"kind": "uploaded", "id": imported.id}


def _trained(client: Client, part: dict[str, Any], *, seconds: float) -> str:
    """Train a job to its end; return its id. No checkpoint is the best: all are judged after the same time."""
    spec = part | {"budget": {"images": None, "seconds": seconds}, "evaluation": {"metrics": []}}
    job = client.create_job(spec)
    for _ in client.follow_events(job.id):
        pass
    ended = client.job(job.id)
    print(f"{part['preset']}, seed {part['seed']}: {ended.status}", file=sys.stderr, flush=True)
    assert ended.status == "succeeded", ended.reason
    return job.id


def page(tables: Sequence[Table]) -> str:
    """Return the page of the tables."""
    parts = [ABOUT.format(seeds=len(SEEDS))]
    for table in tables:
        seen = " and ".join(f"{statistics.mean(table.images_seen[preset]):,.0f}" for preset in PRESETS)
        parts.append(
            f"## {SUBJECTS[table.name].title}\n\n{table.seconds:.0f} s, in which they saw {seen} images; "
            f"{table.samples:,} samples.\n"
        )
        parts.append("| figure | good is | robust | vae | better |\n| --- | --- | ---: | ---: | --- |")
        parts += [
            f"| {line.title} | {line.better or ''} | {' | '.join(_mean(line.values[preset]) for preset in PRESETS)} "
            f"| {_winner(line)} |"
            for line in table.lines
        ]
        pictures = " | ".join(f"![samples of {preset}]({_picture(table.name, preset)})" for preset in PRESETS)
        parts.append(f"| samples | | {pictures} | |\n")
    parts.append("## How it was made\n")
    parts += [f"- `{table.command}`, {table.machine}: {SUBJECTS[table.name].title}." for table in tables]
    return "\n".join([*parts, ""])


def _mean(values: Sequence[float]) -> str:
    """Return the mean of the seeds and its interval."""
    return f"{statistics.mean(values):.3g} ± {_reach(values):.2g}"


def _reach(values: Sequence[float]) -> float:
    """Return half the length of the 95 % interval of a mean (Student's t)."""
    return student(len(values) - 1) * statistics.stdev(values) / math.sqrt(len(values))


def _winner(line: Line) -> str:
    """Return the preset that is better in a figure, or a dash where the seeds do not tell."""
    if line.better not in {"lower", "higher"}:
        return ""
    differences = [one - other for one, other in zip(*(line.values[preset] for preset in PRESETS), strict=True)]
    mean = statistics.mean(differences)
    if abs(mean) <= _reach(differences):
        return "–"
    return PRESETS[(mean > 0) == (line.better == "lower")]


def _picture(name: str, preset: str) -> str:
    return f"{name}-{preset}.png"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.families", description=__doc__)
    parser.add_argument("--only", choices=SUBJECTS, help="this dataset alone")
    parser.add_argument("--folder", type=Path, default=Path("docs/families"), help="where page and pictures go")
    arguments = parser.parse_args()
    command = shlex.join(["python", "-m", "benchmarks.families", *sys.argv[1:]])
    folder: Path = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    rows = folder / ROWS
    known = {table.name: table for table in TABLES.validate_json(rows.read_bytes())} if rows.exists() else {}
    for name in [arguments.only] if arguments.only else SUBJECTS:
        with tempfile.TemporaryDirectory(prefix="saddle-families-") as place:
            (Path(place) / "datasets").symlink_to(Settings().datasets_dir.absolute())
            with stack.running(Path(place)) as client:
                known[name] = measure(client, name, folder=folder, command=command)
        tables = [known[one] for one in SUBJECTS if one in known]
        rows.write_bytes(TABLES.dump_json(tables, indent=2) + b"\n")
        (folder / PAGE).write_text(page(tables), encoding="utf-8")
    print(folder / PAGE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
