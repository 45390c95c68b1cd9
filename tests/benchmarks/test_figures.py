"""Rows and the table that is made from them."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import figures


@pytest.mark.parametrize(
    ("raw", "bound", "holds"),
    [([1.0, 9.0, 4.0], "<= 4.5", True), ([5.0, 5.0, 4.0], "<= 4.5", False), ([2.5], ">= 2.5", True), ([1.0], "", None)],
)
def test_the_median_is_held_to_the_bound(raw: list[float], bound: str, holds: bool | None) -> None:
    assert figures.row("speed", raw, bound=bound).holds is holds


def test_a_references_own_runs_count_by_their_median() -> None:
    assert figures.row("FID", [1.0], reference=[7.0, 3.0, 4.0]).reference == 4.0
    assert figures.row("FID", [1.0], reference=16.8).reference == 16.8


def test_a_file_keeps_the_rows_of_other_figures_and_gives_the_table_back(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    old, other = figures.row("FID", [9.0]), figures.row("modes", [8.0, 7.0], bound=">= 8", reference=7.9)
    new = figures.row("FID", [3.0, 5.0, 4.0], bound="<= 4.5", reference=[17.0, 16.0], remark="three seeds")
    figures.save(path, [old, other], machine="a lathe")
    figures.save(path, [new], machine="a lathe")
    assert figures.load(path) == [replace(row, machine="a lathe") for row in (new, other)]
    *_, fid, modes, _, machine = figures.table(figures.load(path)).splitlines()
    assert machine == "Measured on a lathe."
    assert fid == "| FID | 4 | 3 to 5 | 3 | 16.5 | <= 4.5 | yes | three seeds |"
    assert modes == "| modes | 7.5 | 7 to 8 | 2 | 7.9 | >= 8 | **no** |  |"
