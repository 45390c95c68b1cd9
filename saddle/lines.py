"""Text for people: a job, an event, numbers."""

from collections.abc import Mapping
from typing import Any

from saddle.schemas import Event, Job

UNKNOWN = "-"
Titles = Mapping[str, str]
"""The titles of figures by name, as the service gives them. A figure without one is shown by its name."""


def event_line(event: Event, titles: Titles) -> str:
    """Return one line for one event."""
    return f"{event.at:%Y-%m-%d %H:%M:%S}  {event.images_seen:>13,}  {event.type:<10}  {_told(event, titles)}"


def _told(event: Event, titles: Titles) -> str:
    match event.type:
        case "state":
            reason = event.data.get("reason") or {}
            why = f" ({reason.get('code')}: {reason.get('message')})" if reason else ""
            attempt = f", attempt {event.data['attempt']}" if event.data.get("attempt") else ""
            return f"{event.data.get('status', UNKNOWN)}{attempt}{why}"
        case "log":
            return str(event.data.get("message", "")) or pairs(event.data, {})
        case _:
            return pairs(event.data, titles)


def pairs(data: Mapping[str, Any], titles: Titles) -> str:
    return "  ".join(f"{titles.get(name, name)} {number(value)}" for name, value in data.items())


def ending(job: Job) -> str:
    """Describe in a sentence how a job ended."""
    text = f"{job.id} {job.status} after {job.progress.images_seen:,} images"
    if job.started_at and job.ended_at:
        text += f" in {duration((job.ended_at - job.started_at).total_seconds())}"
    if job.reason:
        text += f" ({job.reason.code}: {job.reason.message})"
    return text


def quality(job: Job) -> dict[str, Any]:
    """Return the figures of the job's newest evaluation, without the place where it was made."""
    return {name: value for name, value in (job.quality or {}).items() if name != "images_seen"}


def number(value: Any) -> str:
    """Format a value: a fraction with four significant digits, an object as its pairs, a text as it is."""
    if isinstance(value, dict):
        return f"({pairs(value, {})})"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return UNKNOWN if value is None else str(value)


def percent(fraction: float | None) -> str:
    return UNKNOWN if fraction is None else f"{fraction:.0%}"


def duration(seconds: float | None) -> str:
    """Format seconds as 1:02:03 or 2:05."""
    if seconds is None:
        return UNKNOWN
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
