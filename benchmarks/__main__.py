"""`python -m benchmarks`: measures every performance claim beside its reference. The rows' file makes the table."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks import evaluations, figures, imports, machine, memory, modes, own_pictures, quality, service, throughput

RESULTS = Path("bench.json")

MEASUREMENTS: dict[str, Callable[[], list[figures.Row]]] = {
    "throughput": throughput.measure,
    "memory": memory.measure,
    "quality": quality.measure,
    "fast": quality.measure_fast,
    "points": modes.measure_points,
    "stacked": modes.measure_stacked,
    "service": service.measure,
    "imports": imports.measure,
    "evaluations": evaluations.measure,
    "pictures": own_pictures.measure,
    "few": own_pictures.measure_few,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--only", nargs="*", choices=MEASUREMENTS, default=list(MEASUREMENTS), help="none: the table alone"
    )
    parser.add_argument(
        "--rows", type=Path, default=RESULTS, help="the file of rows; those of other figures stay in it"
    )
    arguments = parser.parse_args()
    for name in arguments.only:
        print(f"{name} …", file=sys.stderr, flush=True)
        figures.save(arguments.rows, MEASUREMENTS[name](), machine=str(machine.this()))
    print(f"# Figures\n\nPrinted by `make bench`, from the rows in {arguments.rows}.\n")
    print(figures.table(figures.load(arguments.rows)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
