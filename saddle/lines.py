"""Text for people: a job, an event, numbers."""

from typing import Any

from saddle.schemas import Event, Job

HEADLINE_METRICS = ("loss_g", "loss_d", "images_per_second")
UNKNOWN = "-"


def event_line(event: Event) -> str:
    """Return one line for one event."""
    return f"{event.at:%Y-%m-%d %H:%M:%S}  {event.images_seen:>13,}  {event.type:<10}  {_told(event)}"


def _told(event: Event) -> str:
    match event.type:
        case "state":
            reason = event.data.get("reason") or {}
            why = f" ({reason.get('code')}: {reason.get('message')})" if reason else ""
            attempt = f", attempt {event.data['attempt']}" if event.data.get("attempt") else ""
            return f"{event.data.get('status', UNKNOWN)}{attempt}{why}"
        case "log":
            return str(event.data.get("message", "")) or _pairs(event.data)
        case _:
            return _pairs(event.data)


def _pairs(data: dict[str, Any]) -> str:
    return "  ".join(f"{name} {number(value)}" for name, value in data.items())


def ending(job: Job) -> str:
    """Describe in a sentence how a job ended."""
    text = f"{job.id} {job.status} after {job.progress.images_seen:,} images"
    if job.started_at and job.ended_at:
        text += f" in {duration((job.ended_at - job.started_at).total_seconds())}"
    if job.reason:
        text += f" ({job.reason.code}: {job.reason.message})"
    return text


def quality(job: Job) -> str:
    values = {name: value for name, value in (job.quality or {}).items() if name != "images_seen"}
    return _pairs(values)


def number(value: Any) -> str:
    """Format a value: a fraction with four significant digits, an object as its pairs, a text as it is."""
    if isinstance(value, dict):
        return f"({_pairs(value)})"
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
