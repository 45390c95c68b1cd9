"""Live events within one API process: one reader of the Redis stream, a bounded queue for each viewer."""

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sse_starlette import ServerSentEvent
from starlette.concurrency import run_in_threadpool

from api.schemas import EventOut
from store import live, states, tables

log = structlog.get_logger()
QUEUE_EVENTS = 256
BLOCK_MILLISECONDS = 5_000
RETRY_SECONDS = 1.0
T = TypeVar("T")

LONG_REPLAYS = 2
REST = 3.0
"""So many viewers with a long way to go read the history at once, and where others wait each reading is followed by a
rest of so many times its length: however many catch up, half of this process's time is left to those who are live."""


@dataclass(frozen=True)
class Frame:
    """An event as it is sent, encoded once however many watch."""

    id: int
    sse: bytes
    ends: bool
    """Whether the job has ended with it."""

    @classmethod
    def of(cls, event: tables.Event) -> Self:
        data = EventOut.of(event).model_dump_json()
        sse = ServerSentEvent(data=data, event=event.type, id=str(event.id), sep="\n").encode()
        return cls(event.id, sse, ends=event.type == "state" and event.data.get("status") in states.ENDED)


Viewer = asyncio.Queue[Frame | None]
"""Events as they come. None: some were missed, the database has them."""


class Hub:
    """A viewer that does not keep up misses events and is told so; it harms nobody else."""

    def __init__(self, redis_url: str) -> None:
        self._redis = Redis.from_url(redis_url, socket_connect_timeout=2, socket_timeout=BLOCK_MILLISECONDS / 1000 + 5)
        self._viewers: dict[str, set[Viewer]] = defaultdict(set)
        self._turns = asyncio.Semaphore(LONG_REPLAYS)

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
                if viewers := self._viewers.get(event.job_id):
                    frame = Frame.of(event)
                    for viewer in viewers:
                        _offer(viewer, frame)

    async def in_turn(self, read: Callable[[], T]) -> T:
        """Reads, in a thread, a part of a long history."""
        async with self._turns:
            began = time.monotonic()
            found = await run_in_threadpool(read)
            if self._turns.locked():
                await asyncio.sleep(REST * (time.monotonic() - began))
            return found

    async def close(self) -> None:
        await self._redis.aclose()

    def _miss_all(self) -> None:
        for viewers in self._viewers.values():
            for viewer in viewers:
                _offer(viewer, None)


def _offer(viewer: Viewer, frame: Frame | None) -> None:
    if viewer.full():
        while not viewer.empty():
            viewer.get_nowait()
        frame = None
    viewer.put_nowait(frame)


def _entries(answer: Any) -> list[tuple[bytes, dict[bytes, bytes]]]:
    """Of the one stream that was asked for, in RESP2's list or RESP3's map."""
    if not answer:
        return []
    if isinstance(answer, dict):
        batches = next(iter(answer.values()))
        return list(batches[0]) if batches and isinstance(batches[0], list) else list(batches)
    return list(answer[0][1])
