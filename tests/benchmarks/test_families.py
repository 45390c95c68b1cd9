"""The page that compares the families, from values worked out by hand."""

from dataclasses import replace

from benchmarks import families
from benchmarks.families import Line, Table
from benchmarks.machine import Machine

LINE = Line("FID", "lower", {"robust": (6.0, 7.0, 6.5), "vae": (16.0, 17.1, 16.4)})
TABLE = Table(
    name="fashion-mnist",
    seconds=60.0,
    samples=10_000,
    lines=(LINE,),
    images_seen={"robust": (500_000,) * 3, "vae": (600_000,) * 3},
    command="python -m benchmarks.families",
    machine=Machine("A processor", 2, 2),
)


def row(line: Line) -> str:
    made = families.page([replace(TABLE, lines=(line,))])
    return next(each for each in made.splitlines() if each.startswith(f"| {line.title}"))


def test_a_row_has_both_means_with_their_intervals_and_who_is_better() -> None:
    # The deviation of 6, 7 and 6.5 is 0.5: 4.30 * 0.5 / sqrt(3) = 1.24.
    assert row(LINE) == "| FID | lower | 6.5 ± 1.2 | 16.5 ± 1.4 | robust |"
    assert row(replace(LINE, title="recall", better="higher")).endswith("| vae |")


def test_where_the_seeds_do_not_tell_nobody_is_better() -> None:
    near: dict[str, tuple[float, ...]] = {"robust": (6.0, 7.0, 6.5), "vae": (7.0, 6.0, 6.7)}
    assert row(replace(LINE, values=near)).endswith("| – |")
    assert row(replace(LINE, title="memorised", better=None)).endswith("|  |")


def test_tables_survive_their_file() -> None:
    assert families.TABLES.validate_json(families.TABLES.dump_json([TABLE])) == [TABLE]
