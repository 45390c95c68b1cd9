"""The gallery's page: the results of its runs, as rows and as Markdown."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from pydantic import TypeAdapter

from benchmarks.machine import Machine

ABOUT = """# Gallery

What each preset draws when it has trained for so many seconds. `make gallery` makes this page anew, the pictures on it
and the rows behind it, [gallery.json](gallery.json).

One run a row: another seed, or another machine, gives other figures, and small differences mean nothing. Pictures are
the first 64 samples of seed 0, none of them chosen, as `GET /v1/jobs/{id}/samples.png` draws them.
"""
GARMENTS = """## Garments

Fashion-MNIST. FID, precision and recall are measured after the training, of 10,000 samples beside the 10,000 garments
that were held out, in the features of the garment classifier that comes with Saddle. They are not comparable with
figures in Inception features.
"""
CONVOLUTIONS = """The networks of {names} are convolutional: on a CPU they see few images in this time. Their
pictures and figures show that the recipe runs, not what it can reach.
"""
EMOJI = """## Emoji

Pictures of one's own: four designs of emoji (`make emoji`, then `python -m benchmarks.gallery --emoji 32 64 --seconds
1200`), imported as `saddle datasets add` does. Figures are of 2,000 samples beside the holdout, which was never trained
on, in the features of EfficientNet-Lite0. `memorised` is the share of samples that are nearer to a training image than
to one of an equally large holdout; without memorisation it is one half.
"""
MODES = """## Modes

Datasets whose modes are known: 8 Gaussians on a ring, 25 on a grid, and three garments as red, green and blue, of which
there are 1,000 kinds. `modes` is how many of them 10,000 samples reach, `high quality` the share of points within three
standard deviations of a mode, and KL, in nats, how unevenly the modes are met (0: as in the data). Points are drawn as
a scatter of 4,096 samples.
"""
NOTHING = "–"


@dataclass(frozen=True)
class Row:
    """One run. Figures that it does not have are not in `quality`."""

    preset: str
    dataset: str
    purpose: str
    convolutional: bool
    seed: int
    seconds: float
    images_seen: int
    quality: dict[str, float]
    diverged: str | None
    """The reason why the training failed; such a run has no picture."""
    command: str
    machine: Machine

    @property
    def place(self) -> tuple[str, str]:
        return self.dataset, self.preset


ROWS = TypeAdapter(list[Row])
"""Reads and writes the rows as JSON."""


def merged(old: Iterable[Row], new: Iterable[Row], *, order: Sequence[tuple[str, str]]) -> list[Row]:
    """Merge rows and sort them by place. New rows replace old ones; rows whose place is not in `order` are dropped."""
    rows = {row.place: row for row in (*old, *new)}
    return [rows[place] for place in order if place in rows]


def picture(row: Row, *, garments: str) -> str:
    """Return the file's name: the preset's for the dataset of garments, else the dataset's."""
    return f"{row.preset if row.dataset == garments else row.dataset}.png"


def page(rows: Sequence[Row], *, garments: str) -> str:
    """Return the page of some rows. `garments` names the dataset that the presets are compared on."""
    compared = [row for row in rows if row.dataset == garments]
    emoji = [row for row in rows if row.dataset.startswith("emoji")]
    others = [row for row in rows if row.dataset != garments and row not in emoji]
    parts = [ABOUT]
    if compared:
        parts += [GARMENTS, _table(compared, PRESETS, garments=garments)]
        if names := [f"`{row.preset}`" for row in compared if row.convolutional]:
            parts.append(CONVOLUTIONS.format(names=_listed(names)))
    if emoji:
        parts += [EMOJI, _table(emoji, PICTURES, garments=garments)]
    if others:
        parts += [MODES, _table(others, POINTS, garments=garments)]
    return "\n".join([*parts, _origins(rows, garments=garments)])


Cell = Callable[[Row], str]


def _figure(name: str, digits: int) -> Cell:
    return lambda row: f"{row.quality[name]:.{digits}f}" if name in row.quality else NOTHING


COMMON: dict[str, Cell] = {
    "images seen": lambda row: f"{row.images_seen:,}",
    "seconds": lambda row: f"{row.seconds:.0f}",
}
PRESETS: dict[str, Cell] = {
    "preset": lambda row: f"`{row.preset}`",
    "what it is for": lambda row: row.purpose,
    **COMMON,
    "FID": _figure("fid", 1),
    "precision": _figure("precision", 2),
    "recall": _figure("recall", 2),
}
PICTURES: dict[str, Cell] = {
    "dataset": lambda row: f"`{row.dataset}`",
    "preset": lambda row: f"`{row.preset}`",
    **COMMON,
    "KID": _figure("kid", 3),
    "FD64": _figure("fd64", 1),
    "precision": _figure("precision", 2),
    "recall": _figure("recall", 2),
    "memorised": _figure("memorised", 2),
}
POINTS: dict[str, Cell] = {
    "dataset": lambda row: f"`{row.dataset}`",
    "preset": lambda row: f"`{row.preset}`",
    **COMMON,
    "modes": _figure("modes", 0),
    "high quality": _figure("high_quality", 3),
    "KL": _figure("kl", 2),
}


def _table(rows: Iterable[Row], columns: Mapping[str, Cell], *, garments: str) -> str:
    lines = [_line([*columns, "samples"]), _line("---" for _ in range(len(columns) + 1))]
    for row in rows:
        name = picture(row, garments=garments)
        samples = f"![samples of {name[:-4]}]({name})" if row.diverged is None else f"diverged: {row.diverged}"
        lines.append(_line([*(cell(row) for cell in columns.values()), samples]))
    return "\n".join([*lines, ""])


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _origins(rows: Sequence[Row], *, garments: str) -> str:
    """Return the lines that say which command made which rows, and on which machine."""

    def origin(row: Row) -> tuple[str, str, int, int]:
        return row.command, row.machine.processor, row.machine.cores, row.machine.threads

    lines = ["## How it was made", ""]
    for (command, processor, cores, threads), made in groupby(sorted(rows, key=origin), key=origin):
        names = [f"`{picture(row, garments=garments)[:-4]}`" for row in made]
        lines.append(f"- `{command}`, {threads} of {cores} cores of {processor}: {_listed(names)}.")
    return "\n".join([*lines, ""])


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
