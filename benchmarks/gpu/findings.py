"""Findings: the figures that checks find, their bounds, and how they are shown and saved."""

import json
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Any


@dataclass(frozen=True)
class Finding:
    """One figure. With a bound, which it must not exceed, it is a check."""

    title: str
    figure: float
    bound: float | None
    unit: str = ""
    remark: str = ""

    @property
    def state(self) -> str:
        # NaN is within no bound.
        return "-" if self.bound is None else "ok" if self.figure <= self.bound else "FAILED"


Check = Callable[[], Iterator[Finding]]


class TooLong(Exception):
    """A check took longer than its time limit."""


def run(name: str, check: Check, *, seconds: float) -> list[Finding]:
    """Return the findings of a check; show each at once. One that raises or takes longer keeps what it had found."""
    found: list[Finding] = []
    try:
        with _within(seconds):
            for finding in check():
                found.append(finding)
                print(_line(finding), file=sys.stderr, flush=True)
    except Exception as error:  # noqa: BLE001 # whatever it is, the other checks go on
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        found.append(Finding(name, float("nan"), 0.0, remark=reason[:300]))
        print(_line(found[-1]), file=sys.stderr, flush=True)
    return found


def table(findings: Sequence[Finding]) -> str:
    """Return a Markdown table with a line for each finding."""
    heads = ["| Check | Found | Bound | State | Remark |", "| --- | ---: | ---: | --- | --- |"]
    return "\n".join([*heads, *map(_line, findings)])


def save(path: Path, findings: Sequence[Finding], *, machine: dict[str, Any]) -> None:
    """Write the findings as JSON. JSON has no NaN: the figure of a check that has found nothing is null."""
    rows = [
        asdict(one) | {"figure": one.figure if one.figure == one.figure else None, "state": one.state}
        for one in findings
    ]
    path.write_text(json.dumps({"machine": machine, "findings": rows}, indent=2, allow_nan=False) + "\n")


@contextmanager
def _within(seconds: float) -> Iterator[None]:
    """Raise TooLong in the block once its time is up."""
    began = time.monotonic()

    def end(_number: int, _frame: FrameType | None) -> None:
        raise TooLong(f"not done within {seconds:.0f} s")

    before = signal.signal(signal.SIGALRM, end)
    # The signal repeats, since the interrupted code may catch the first exception.
    left, interval = signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001), 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if left:
            signal.setitimer(signal.ITIMER_REAL, max(left - (time.monotonic() - began), 0.001), interval)


def _line(one: Finding) -> str:
    found = f"{_text(one.figure)} {one.unit}".strip()
    bound = "-" if one.bound is None else f"<= {_text(one.bound)}"
    return f"| {one.title} | {found} | {bound} | {one.state} | {one.remark.replace('|', '/')} |"


def _text(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
