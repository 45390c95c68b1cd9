"""The command `python -m benchmarks.fid_curve`: trains the default recipe and draws its FID over images seen.

It writes docs/gallery/robust-fid.svg. The figures are Saddle's own, as a job's events show them.
"""

import argparse
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import torch

from benchmarks import machine
from models import data, presets, training
from models.evaluators import References

WIDTH, HEIGHT = 480, 480
LEFT, RIGHT, TOP, BOTTOM = 56, 16, 40, 56
TICKS = 5
STYLE = "font-family: sans-serif; font-size: 13px"

Point = tuple[int, float]
"""(images seen, FID)."""


def measure(*, images: int, points: int, seed: int, folder: Path) -> list[Point]:
    """Train the default recipe on its dataset and evaluate it `points` times, at equal distances."""
    every = images // points
    spec = presets.resolve(
        {
            "seed": seed,
            "budget": {"images": images, "seconds": None},
            "checkpoint": {"every_images": 10**12},
            "evaluation": {"every_images": every, "metrics": ["fid"]},
        }
    )
    dataset, holdout = (data.load(spec.dataset, folder=folder, split=split) for split in ("train", "holdout"))
    references = References.of(dataset, holdout)
    found: list[Point] = []
    for event in training.train(spec, dataset=dataset, references=references, device=torch.device("cpu")):
        if isinstance(event, training.Evaluated):
            found.append((event.images_seen, event.values["fid"]))
            print(f"{event.images_seen:>12,} images  FID {event.values['fid']:.2f}", file=sys.stderr, flush=True)
    return found


def svg(points: Sequence[Point], *, title: str) -> str:
    """Draw the curve, both axes from 0."""
    most_images, most_fid = max(images for images, _ in points), max(fid for _, fid in points)

    def place(images: float, fid: float) -> tuple[float, float]:
        across = LEFT + (WIDTH - LEFT - RIGHT) * images / most_images
        return round(across, 1), round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * fid / most_fid, 1)

    corner, right, top = place(0, 0), place(most_images, 0), place(0, most_fid)
    lines = [_line(corner, right, "#888"), _line(corner, top, "#888")]
    texts = [_text((WIDTH / 2, 22), title, "middle"), _text((WIDTH / 2, HEIGHT - 14), "images seen", "middle")]
    texts.append(_text((LEFT - 8, TOP - 14), "FID", "end"))
    for tick in range(1, TICKS + 1):
        images, fid = most_images * tick / TICKS, most_fid * tick / TICKS
        x, y = place(images, 0)[0], place(0, fid)[1]
        lines.append(_line((LEFT, y), (right[0], y), "#ddd"))
        texts.append(_text((LEFT - 8, y + 4), f"{fid:.0f}", "end"))
        texts.append(_text((x, corner[1] + 20), f"{images / 1000:,.0f}k", "middle"))
    places = [place(*point) for point in points]
    lines += [_line(first, second, "#2a6fdb", width=2) for first, second in pairwise(places)]
    dots = [f'<circle cx="{x}" cy="{y}" r="3" fill="#2a6fdb"/>' for x, y in places]
    last_x, last_y = places[-1]
    texts.append(_text((last_x, last_y - 10), f"{points[-1][1]:.1f}", "end"))
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" style="{STYLE}">'
    paper = f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>'
    return "\n".join([head, paper, *lines, *dots, *texts, "</svg>", ""])


def _line(start: tuple[float, float], end: tuple[float, float], colour: str, *, width: int = 1) -> str:
    (x1, y1), (x2, y2) = start, end
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{colour}" stroke-width="{width}"/>'


def _text(place: tuple[float, float], text: str, anchor: str) -> str:
    return f'<text x="{place[0]:g}" y="{place[1]:g}" text-anchor="{anchor}">{text}</text>'


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fid_curve", description=__doc__)
    parser.add_argument("--images", type=int, default=500_000, help="to train on")
    parser.add_argument("--points", type=int, default=10, help="evaluations")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--datasets", type=Path, default=Path(".saddle/datasets"), help="the datasets folder")
    parser.add_argument("--out", type=Path, default=Path("docs/gallery") / f"{presets.DEFAULT}-fid.svg")
    arguments = parser.parse_args()
    try:
        points = measure(
            images=arguments.images, points=arguments.points, seed=arguments.seed, folder=arguments.datasets
        )
    except data.DatasetError as error:
        print(error, file=sys.stderr)
        return 1
    arguments.out.write_text(svg(points, title=f"{presets.DEFAULT} on {presets.DEFAULT_DATASET}"), encoding="utf-8")
    print(f"{arguments.out}  ({machine.this()})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
