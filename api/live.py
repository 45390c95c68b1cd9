"""Live events within one API process: one reader of the Redis stream, a bounded queue for each viewer."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from store import live, tables

log = structlog.get_logger()
QUEUE_EVENTS = 256
BLOCK_MILLISECONDS = 5_000
RETRY_SECONDS = 1.0

Viewer = asyncio.Queue[tables.Event | None]
"""Events as they come. None: some were missed, the database has them."""


class Hub:
    """A viewer that does not keep up misses events and is told so; it harms nobody else."""

    def __init__(self, redis_url: str) -> None:
        self._redis = Redis.from_url(redis_url, socket_connect_timeout=2, socket_timeout=BLOCK_MILLISECONDS / 1000 + 5)
        self._viewers: dict[str, set[Viewer]] = defaultdict(set)

    @contextlib.contextmanager
    def watch(self, job_id: str) -> Iterator[Viewer]:
        viewer: Viewer = asyncio.Queue(QUEUE_EVENTS)
        self._viewers[job_id].add(viewer)
        try:
            yield viewer
        finally:
            self._viewers[job_id].discard(viewer)
            if not self._viewers[job_id]:
                del self._viewers[job_id]

    async def run(self) -> None:
        """Reads until cancelled; after an outage every viewer is sent to the database."""
        last: str | bytes = "$"
        while True:
            try:
                answer: Any = await self._redis.xread({live.STREAM: last}, block=BLOCK_MILLISECONDS, count=500)
            except (RedisError, OSError) as error:
                log.warning("live events away, viewers read the database", error=str(error))
                last = "$"
                await asyncio.sleep(RETRY_SECONDS)
                self._miss_all()
                continue
            for entry_id, fields in _entries(answer):
                last = entry_id
                event = live.decode(fields)
                for viewer in self._viewers.get(event.job_id, ()):
                    _offer(viewer, event)

    async def close(self) -> None:
        await self._redis.aclose()

    def _miss_all(self) -> None:
        for viewers in self._viewers.values():
            for viewer in viewers:
                _offer(viewer, None)


def _offer(viewer: Viewer, event: tables.Event | None) -> None:
    if viewer.full():
        while not viewer.empty():
            viewer.get_nowait()
        event = None
    viewer.put_nowait(event)


def _entries(answer: Any) -> list[tuple[bytes, dict[bytes, bytes]]]:
    """Of the one stream that was asked for, in RESP2's list or RESP3's map."""
    if not answer:
        return []
    if isinstance(answer, dict):
        batches = next(iter(answer.values()))
        return list(batches[0]) if batches and isinstance(batches[0], list) else list(batches)
    return list(answer[0][1])
