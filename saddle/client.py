"""The client: Saddle's HTTP API as typed methods."""

import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import quote

import httpx

from saddle import events
from saddle.datasets import Datasets
from saddle.errors import InvalidRequest, Unreachable
from saddle.evaluations import Evaluations
from saddle.files import write_whole
from saddle.schemas import (
    Checkpoint,
    Estimate,
    Event,
    Figure,
    Grid,
    ItemT,
    Job,
    Page,
    Preset,
    Readiness,
    Series,
    Timeline,
    TimelinePlace,
)
from saddle.transport import Transport

LARGEST_PAGE = 100
LARGEST_EVENT_PAGE = 1000


class Client:
    """A client of one service. Methods raise errors.SaddleError, and nothing else, for faults outside the program.

    Waits between tries call `sleep`. Close the client, or use it as a context manager.
    """

    def __init__(self, url: str, api_key: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._transport = Transport(url, api_key, sleep=sleep)
        self.datasets = Datasets(self._transport)
        """Import, list and delete datasets."""
        self.evaluations = Evaluations(self._transport)
        """Measure checkpoints and compare jobs."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._transport.close()

    # Jobs

    def create_job(self, spec: Mapping[str, Any], *, idempotency_key: str | None = None) -> Job:
        """Submit any part of a spec. The idempotency key (None: a new one) makes it safe to repeat after a cut."""
        return self._create("/v1/jobs", spec, idempotency_key=idempotency_key)

    def fork_job(
        self,
        job_id: str,
        changes: Mapping[str, Any],
        *,
        checkpoint: str = "latest",
        idempotency_key: str | None = None,
    ) -> Job:
        """Create a job that goes on from a checkpoint of another (latest, best or an id), with changes to its spec.

        The idempotency key works as in `create_job`.
        """
        body = {"checkpoint": checkpoint, "spec": changes}
        return self._create(_job(job_id) + "/fork", body, idempotency_key=idempotency_key)

    def dry_run(self, spec: Mapping[str, Any]) -> Estimate:
        """Return the resolved spec and what the run would take. Nothing is stored."""
        response = self._transport.send("POST", "/v1/jobs", params={"dry_run": "true"}, body=spec, repeat=True)
        return self._transport.parse(Estimate, response)

    def jobs(
        self,
        *,
        status: str | None = None,
        dataset: str | None = None,
        metadata: Mapping[str, str] | None = None,
        limit: int | None = None,
    ) -> Iterator[Job]:
        """Yield the jobs, newest first, fetched page by page; at most `limit` of them."""
        left, after = limit, None
        filters = {"status": status, "dataset": dataset} | {f"metadata[{k}]": v for k, v in (metadata or {}).items()}
        while left is None or left > 0:
            size = LARGEST_PAGE if left is None else min(left, LARGEST_PAGE)
            response = self._get("/v1/jobs", filters | {"limit": size, "after": after})
            page = self._transport.parse(Page[Job], response)
            yield from page.data
            left = None if left is None else left - len(page.data)
            after = page.next
            if not page.has_more or after is None:
                return

    def job(self, job_id: str) -> Job:
        return self._transport.parse(Job, self._get(_job(job_id)))

    def cancel_job(self, job_id: str) -> Job:
        """Cancel a job for good. A running one is `cancelling` until its trainer has stopped."""
        return self._order(job_id, "cancel")

    def pause_job(self, job_id: str) -> Job:
        """Pause a job. A running one is `pausing` until its trainer has saved its state."""
        return self._order(job_id, "pause")

    def resume_job(self, job_id: str) -> Job:
        """Queue a paused job, which goes on where it stood."""
        return self._order(job_id, "resume")

    def retry_job(self, job_id: str) -> Job:
        """Queue a failed or diverged job, which goes on from its newest checkpoint."""
        return self._order(job_id, "retry")

    def delete_job(self, job_id: str) -> None:
        """Remove an ended job and its artifacts."""
        self._transport.send("DELETE", _job(job_id), repeat=False)

    # A job's results

    def metrics(
        self,
        job_id: str,
        *,
        names: Iterable[str] = (),
        after_images: int | None = None,
        points: int | None = None,
    ) -> Series:
        """Return the training series after `after_images`, thinned to `points`. `names`: its metrics (empty: all)."""
        params = {"names": ",".join(names) or None, "after_images": after_images, "points": points}
        return self._transport.parse(Series, self._get(_job(job_id) + "/metrics", params))

    def follow_events(self, job_id: str, *, after: int = 0) -> Iterator[Event]:
        """Yield the events after the given id, then live ones until the job has ended. Reconnects after a cut.

        Ids rise strictly. See `events.follow`.
        """

        @contextmanager
        def connect(last_id: int) -> Iterator[Iterable[bytes]]:
            headers = {"Accept": events.MEDIA_TYPE, "Cache-Control": "no-store"}
            if last_id:
                headers["Last-Event-ID"] = str(last_id)
            with self._transport.stream(_job(job_id) + "/events", headers=headers) as response:
                yield response.iter_bytes()

        return events.follow(
            connect, after=after, has_ended=lambda: self.job(job_id).has_ended, sleep=self._transport.sleep
        )

    def past_events(self, job_id: str, *, after: int = 0) -> Iterator[Event]:
        """Yield the events after the given id that have happened so far, oldest first."""
        yield from self._pages(Page[Event], _job(job_id) + "/events", after=after, size=LARGEST_EVENT_PAGE)

    def checkpoints(self, job_id: str) -> Iterator[Checkpoint]:
        """Yield the checkpoints that are kept, newest first."""
        yield from self._pages(Page[Checkpoint], _job(job_id) + "/checkpoints", after=None, size=LARGEST_PAGE)

    def pin_checkpoint(self, job_id: str, checkpoint_id: str) -> Checkpoint:
        """Keep a checkpoint, however many are newer or better, until it is unpinned or its job is deleted."""
        return self._pin("PUT", job_id, checkpoint_id)

    def unpin_checkpoint(self, job_id: str, checkpoint_id: str) -> Checkpoint:
        """Unpin a checkpoint. It is removed once its job makes more than it keeps."""
        return self._pin("DELETE", job_id, checkpoint_id)

    def download_generator(self, job_id: str, checkpoint_id: str, *, to: Path) -> None:
        """Download the generator's averaged weights as a safetensors file, which appears whole or not at all."""
        with self._transport.stream(_checkpoint(job_id, checkpoint_id) + "/generator.safetensors") as response:
            try:
                write_whole(to, response.iter_bytes())
            except httpx.RequestError as error:
                raise Unreachable(f"the download was cut: {error or type(error).__name__}") from error

    def samples_png(
        self,
        job_id: str,
        *,
        count: int | None = None,
        seed: int | None = None,
        columns: int | None = None,
        checkpoint: str | None = None,
    ) -> Grid:
        """Draw a grid of samples. None leaves the choice to the server. `checkpoint`: latest, best or an id."""
        params = {"count": count, "seed": seed, "columns": columns, "checkpoint": checkpoint}
        response = self._get(_job(job_id) + "/samples.png", params, accept="image/png")
        headers = response.headers
        answer = {"checkpoint": headers.get("Saddle-Checkpoint"), "images_seen": headers.get("Saddle-Images-Seen")}
        return self._transport.build(Grid, response, answer | {"png": response.content})

    def samples(
        self,
        job_id: str,
        *,
        count: int | None = None,
        seed: int | None = None,
        checkpoint: str | None = None,
        file_format: Literal["npz", "zip"],
    ) -> bytes:
        """Draw many samples into a file: npz (uint8 array `images`, N x H x W x C) or a zip of PNGs."""
        params = {"count": count, "seed": seed, "checkpoint": checkpoint, "format": file_format}
        return self._get(_job(job_id) + "/samples", params, accept="*/*").content

    def timeline(self, job_id: str) -> tuple[TimelinePlace, ...]:
        """Return the places at which a small grid of the same latents was drawn, from before the first step."""
        return self._transport.parse(Timeline, self._get(_job(job_id) + "/timeline")).data

    def timeline_png(self, job_id: str, images_seen: int) -> bytes:
        """Return the grid at a place of the timeline."""
        return self._get(_job(job_id) + f"/timeline/{images_seen:d}.png", accept="image/png").content

    # The service

    def presets(self) -> tuple[Preset, ...]:
        return self._transport.parse(Page[Preset], self._get("/v1/presets")).data

    def preset(self, name: str) -> Preset:
        return self._transport.parse(Preset, self._get(f"/v1/presets/{_segment(name)}"))

    def figures(self) -> tuple[Figure, ...]:
        """Return what the numbers in events, series and quality are called and mean."""
        return self._transport.parse(Page[Figure], self._get("/v1/figures")).data

    def check_health(self) -> None:
        """Return if the API process answers, raise otherwise."""
        self._transport.send("GET", "/healthz", repeat=False)

    def readiness(self) -> Readiness:
        """Return whether the database, Redis and a worker answer too."""
        response = self._transport.send("GET", "/readyz", repeat=False, also_answers=frozenset({503}))
        return self._transport.parse(Readiness, response)

    def _create(self, path: str, body: Mapping[str, Any], *, idempotency_key: str | None) -> Job:
        headers = {"Idempotency-Key": idempotency_key or secrets.token_hex(16)}
        return self._transport.parse(Job, self._transport.send("POST", path, body=body, headers=headers, repeat=True))

    def _pages(self, schema: type[Page[ItemT]], path: str, *, after: str | int | None, size: int) -> Iterator[ItemT]:
        """Yield the items of a list, fetched page by page."""
        while True:
            page = self._transport.parse(schema, self._get(path, {"limit": size, "after": after}))
            yield from page.data
            after = page.next
            if not page.has_more or after is None:
                return

    def _order(self, job_id: str, verb: str) -> Job:
        return self._transport.parse(Job, self._transport.send("POST", f"{_job(job_id)}/{verb}", repeat=False))

    def _pin(self, method: str, job_id: str, checkpoint_id: str) -> Checkpoint:
        path = _checkpoint(job_id, checkpoint_id) + "/pin"
        return self._transport.parse(Checkpoint, self._transport.send(method, path, repeat=True))

    def _get(
        self, path: str, params: Mapping[str, str | int | None] | None = None, *, accept: str = "application/json"
    ) -> httpx.Response:
        return self._transport.send("GET", path, params=params, headers={"Accept": accept}, repeat=True)


def _job(job_id: str) -> str:
    return f"/v1/jobs/{_segment(job_id)}"


def _checkpoint(job_id: str, checkpoint_id: str) -> str:
    return f"{_job(job_id)}/checkpoints/{_segment(checkpoint_id)}"


def _segment(text: str) -> str:
    """Return an id as one segment of a path, so that no id leads elsewhere."""
    if text in {"", ".", ".."}:
        raise InvalidRequest(f"{text!r} is no id")
    return quote(text, safe="")
