"""`python -m benchmarks`: every performance claim, each beside its reference; the rows land in bench.json."""

import json
from pathlib import Path

from benchmarks import service

RESULTS = Path("bench.json")


def main() -> None:
    rows = service.measure()
    RESULTS.write_text(json.dumps([vars(row) for row in rows], indent=2) + "\n")
    print(f"\n{'figure':<58} {'measured':>12} {'reference':>12} {'bound':>9}")
    for row in rows:
        reference = f"{row.reference:,.3g}" if row.reference is not None else "-"
        print(f"{row.figure:<58} {row.measured:>12,.3g} {reference:>12} {row.bound:>9}   {row.remark}")
    print(f"\nrows: {RESULTS}")


if __name__ == "__main__":
    main()
