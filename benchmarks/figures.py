"""Figures: what the benchmarks measure, as rows, from which alone the table is made."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """One figure: the median of `raw`, beside its reference."""

    figure: str
    raw: list[float]
    """Every measurement, one for each seed or repetition."""
    bound: str
    """The bound on the figure, such as `<= 4.5`; "" where there is none."""
    reference: float | None
    reference_raw: list[float]
    """The reference's own measurements in the same run; empty where the reference is quoted."""
    remark: str
    machine: str = ""
    """The machine that the figure was measured on."""

    @property
    def measured(self) -> float:
        return statistics.median(self.raw)

    @property
    def holds(self) -> bool | None:
        """Return whether the figure is within its bound; None without one."""
        if not self.bound:
            return None
        relation, limit = self.bound.split()
        return self.measured <= float(limit) if relation == "<=" else self.measured >= float(limit)


def row(
    figure: str,
    raw: Sequence[float],
    *,
    bound: str = "",
    reference: float | Sequence[float] | None = None,
    remark: str = "",
) -> Row:
    """Return a row. `reference`: a quoted figure, or measurements of the same run, whose median counts."""
    measured = [float(value) for value in reference] if isinstance(reference, Sequence) else []
    quoted = statistics.median(measured) if measured else reference
    assert quoted is None or isinstance(quoted, int | float)
    return Row(figure, [float(value) for value in raw], bound, quoted, measured, remark)


def save(path: Path, rows: Sequence[Row], *, machine: str) -> None:
    """Add rows to a file, with the machine they are from. Rows of the same figures are replaced."""
    kept = {old.figure: old for old in load(path)} | {new.figure: replace(new, machine=machine) for new in rows}
    path.write_text(json.dumps([asdict(one) for one in kept.values()], indent=2) + "\n")


def load(path: Path) -> list[Row]:
    return [Row(**fields) for fields in json.loads(path.read_text())] if path.exists() else []


def table(rows: Sequence[Row]) -> str:
    """Return a Markdown table with a line for each figure, then the machines."""
    lines = [
        "| Figure | Median | Lowest to highest | Runs | Reference | Bound | Holds | Remark |",
        "| --- | ---: | --- | ---: | ---: | --- | --- | --- |",
    ]
    for one in rows:
        cells = [
            one.figure,
            _text(one.measured),
            f"{_text(min(one.raw))} to {_text(max(one.raw))}",
            str(len(one.raw)),
            "-" if one.reference is None else _text(one.reference),
            one.bound or "-",
            {True: "yes", False: "**no**", None: "-"}[one.holds],
            one.remark,
        ]
        lines.append(f"| {' | '.join(cells)} |")
    machines = sorted({one.machine for one in rows if one.machine})
    return "\n".join([*lines, "", *(f"Measured on {machine}." for machine in machines)])


def _text(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
