"""Formats numbers and times for people. None, an unknown value, becomes a dash."""

import math
from datetime import UTC, datetime

from models.specs import figures

UNKNOWN = "–"
MINUTE, HOUR, DAY = 60, 3600, 86_400


def count(number: int | None) -> str:
    return UNKNOWN if number is None else f"{number:,}"


def significant(number: float | None) -> str:
    """Format a figure with three significant digits: those of KID begin behind the point, those of FID before it."""
    if number is None:
        return UNKNOWN
    return f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.3g}"


def figure(name: str) -> str:
    """Return the title of an evaluation's figure, or of a series, as it stands within a sentence."""
    known = figures.QUALITY.get(name) or figures.SERIES.get(name)
    return name.replace("_", " ") if known is None else known.title


def heading(title: str) -> str:
    """Return a title with its first letter capital, as it stands on its own."""
    return title[:1].upper() + title[1:]


def rate(number: float | None) -> str:
    """Format a speed: without decimals from 100 up."""
    if number is None:
        return UNKNOWN
    return f"{number:,.0f}" if number >= 100 else f"{number:.1f}"


def percent(fraction: float) -> str:
    """Format a fraction, rounded down, so that 100 % is shown only at the end."""
    return f"{math.floor(fraction * 1000) / 10:.1f} %"


def duration(seconds: float | None) -> str:
    if seconds is None:
        return UNKNOWN
    whole = round(seconds)
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        return f"{whole // MINUTE} min {whole % MINUTE:02d} s"
    if whole < DAY:
        return f"{whole // HOUR} h {whole % HOUR // MINUTE:02d} min"
    return f"{whole // DAY} d {whole % DAY // HOUR} h"


def ago(at: datetime | None) -> str:
    if at is None:
        return UNKNOWN
    seconds = (datetime.now(UTC) - at).total_seconds()
    if seconds < 10:
        return "just now"
    if seconds < MINUTE:
        return f"{seconds:.0f} s ago"
    if seconds < HOUR:
        return f"{seconds // MINUTE:.0f} min ago"
    if seconds < DAY:
        return f"{seconds // HOUR:.0f} h ago"
    if seconds < 30 * DAY:
        return f"{seconds // DAY:.0f} d ago"
    return at.strftime("%Y-%m-%d")


def exact(at: datetime | None) -> str:
    return "" if at is None else at.strftime("%Y-%m-%d %H:%M:%S UTC")


def size(number: int) -> str:
    """Format a number of bytes, in powers of 1000."""
    amount = float(number)
    for unit in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"
