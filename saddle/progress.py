"""Watches a job to its end: with a live bar on a terminal, with a line now and then elsewhere."""

import time
from collections.abc import Callable

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from saddle import lines
from saddle.client import Client
from saddle.errors import ApiError, Unreachable
from saddle.schemas import Event, Job

REFRESH_SECONDS = 1.0
LINE_EVERY_FRACTION = 0.05
TOLD_IN_LINES = frozenset({"state", "evaluation", "guard", "log"})
LOSSES = ("loss_g", "loss_d")


def watch(
    client: Client,
    job_id: str,
    *,
    titles: lines.Titles,
    console: Console,
    clock: Callable[[], float] = time.monotonic,
) -> Job:
    """Show the job until it ends, and return it as it ended. Raises errors.SaddleError."""
    view = View(client.job(job_id), titles)
    refreshed_at = clock()
    live = Live(view, console=console, refresh_per_second=8, transient=True) if console.is_terminal else None
    if live:
        live.start()
    try:
        for event in client.follow_events(job_id):
            view.apply(event)
            if clock() - refreshed_at >= REFRESH_SECONDS:
                refreshed_at = clock()
                view.job = _refreshed(client, view.job)
            line = view.line(event)
            if line and (live is None or event.type != "metrics"):
                console.print(line, markup=False, highlight=False, soft_wrap=True)
    finally:
        if live:
            live.stop()
    return client.job(job_id)


def _refreshed(client: Client, job: Job) -> Job:
    try:
        return client.job(job.id)
    except Unreachable:
        return job  # the event stream meets the same outage, and waits it out
    except ApiError as error:
        if error.status not in {429, 503}:
            raise
        return job


class View:
    """The state of a job: its last reading and the events since."""

    def __init__(self, job: Job, titles: lines.Titles) -> None:
        self.job = job
        self._titles = titles
        self.status = job.status
        self.images_seen = 0
        self.metrics: dict[str, float | None] = {}
        self.quality = lines.quality(job)
        self._told_fraction = 0.0

    def apply(self, event: Event) -> None:
        self.images_seen = max(self.images_seen, event.images_seen)
        if event.type == "metrics":
            self.metrics |= event.data
        elif event.type == "evaluation":
            self.quality |= event.data
        elif event.type == "state":
            self.status = str(event.data.get("status", self.status))

    @property
    def fraction(self) -> float:
        """Return the share of the budget that is used up. For a budget of seconds, only the service knows it."""
        known = self.job.progress.fraction or 0.0
        total = self.job.progress.images_total
        return min(1.0, max(known, self.images_seen / total if total else 0.0))

    def line(self, event: Event) -> str | None:
        """Return the line for an event; None if the event is skipped, as most ticks are."""
        if event.type in TOLD_IN_LINES:
            return lines.event_line(event, self._titles)
        if event.type == "metrics" and self.fraction - self._told_fraction >= LINE_EVERY_FRACTION:
            self._told_fraction = self.fraction
            return f"{lines.event_line(event, self._titles)}  ({lines.percent(self.fraction)})"
        return None

    def __rich__(self) -> RenderableType:
        progress = self.job.progress
        bar = Table.grid(padding=(0, 2), expand=True)
        for ratio in (None, 1, None, None, None, None):
            bar.add_column(no_wrap=True, ratio=ratio)
        bar.add_row(
            Text(self.status, style="bold"),
            ProgressBar(total=1.0, completed=self.fraction),
            Text(lines.percent(self.fraction)),
            Text(f"{self.images_seen:,} images"),
            Text(f"{lines.number(self.metrics.get('images_per_second') or progress.images_per_second)} images/s"),
            Text(f"ETA {lines.duration(progress.eta_seconds)}"),
        )
        losses = {name: self.metrics.get(name) for name in LOSSES}
        return Group(bar, Text(lines.pairs(losses | self.quality, self._titles)))
