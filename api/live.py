"""Live events within one API process: one reader of the Redis stream, a bounded queue for each viewer."""

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError
from starlette.concurrency import run_in_threadpool

from store import live, tables

log = structlog.get_logger()
QUEUE_EVENTS = 256
BLOCK_MILLISECONDS = 5_000
RETRY_SECONDS = 1.0
T = TypeVar("T")

LONG_REPLAYS = 2
"""The number of viewers that may read a long history at the same time."""
REST = 3.0
"""While others wait, a reader of a long history pauses this many times as long as it read. However many viewers catch
up, half of this process's time is left to those who are live.
"""


@dataclass(frozen=True)
class Frame:
    """An event as it is sent, encoded once however many watch."""

    id: int
    sse: bytes
    ends: bool
    """Whether this event ends the job."""


Viewer = asyncio.Queue[Frame | None]
"""A viewer's events in order. None: some were missed, and the database has them."""


class Hub:
    """Hands events to viewers. A viewer that does not keep up misses events and is told so. It delays nobody else."""

    def __init__(self, redis_url: str, *, encode: Callable[[tables.Event], Frame]) -> None:
        """Make a hub; `start` begins the reading. `encode` turns an event into the frame that viewers are sent.

        `encode` may raise ValueError, OverflowError or OSError.
        """
        self._redis = Redis.from_url(redis_url, socket_connect_timeout=2, socket_timeout=BLOCK_MILLISECONDS / 1000 + 5)
        self._encode = encode
        self._viewers: dict[str, set[Viewer]] = defaultdict(set)
        self._turns = asyncio.Semaphore(LONG_REPLAYS)
        self._reader: asyncio.Task[None] | None = None
        self._trouble: str | None = None

    @property
    def trouble(self) -> str | None:
        """Return why no live events are being read, or None while they are."""
        if self._reader is None or self._reader.done():
            return "not running"
        return self._trouble

    def start(self) -> None:
        """Start reading."""
        self._reader = asyncio.create_task(self._keep_reading())

    async def close(self) -> None:
        """Stop reading."""
        while self._reader is not None and not self._reader.done():
            # Again if need be: below Python 3.12 asyncio.wait_for, which redis uses, may swallow a cancellation.
            self._reader.cancel()
            await asyncio.wait({self._reader}, timeout=0.1)
        await self._redis.aclose()

    @contextlib.contextmanager
    def watch(self, job_id: str) -> Iterator[Viewer]:
        """Open a queue of the events of a job."""
        viewer: Viewer = asyncio.Queue(QUEUE_EVENTS)
        self._viewers[job_id].add(viewer)
        try:
            yield viewer
        finally:
            self._viewers[job_id].discard(viewer)
            if not self._viewers[job_id]:
                del self._viewers[job_id]

    async def in_turn(self, read: Callable[[], T]) -> T:
        """Read a part of a long history in a thread."""
        async with self._turns:
            began = time.monotonic()
            found = await run_in_threadpool(read)
            if self._turns.locked():
                await asyncio.sleep(REST * (time.monotonic() - began))
            return found

    async def _keep_reading(self) -> None:
        """Read until cancelled. After a failure, start again and send every viewer to the database."""
        while True:
            try:
                await self._read()
            except (RedisError, OSError) as error:
                self._trouble = f"away: {type(error).__name__}"
                log.warning("live events away, viewers read the database", error=str(error))
            except Exception as error:
                # Nobody awaits this task: without this handler it would end unnoticed.
                self._trouble = f"crashed: {type(error).__name__}"
                log.error("the reader of live events crashed and is started again", exc_info=error)
            await asyncio.sleep(RETRY_SECONDS)
            self._miss_all()

    async def _read(self) -> None:
        """Hand on the entries that come after the newest one."""
        newest: Any = await self._redis.xrevrange(live.STREAM, count=1)
        last = newest[0][0] if newest else "0-0"
        self._trouble = None
        # From here on no event is missed. Earlier ones are in the database.
        self._miss_all()
        while True:
            answer: Any = await self._redis.xread({live.STREAM: last}, block=BLOCK_MILLISECONDS, count=500)
            for entry_id, fields in _entries(answer):
                last = entry_id
                self._hand_on(entry_id, fields)

    def _hand_on(self, entry_id: bytes, fields: Mapping[bytes, bytes]) -> None:
        try:
            event = live.decode(fields)
            viewers = self._viewers.get(event.job_id)
            frame = self._encode(event) if viewers else None
        except (ValueError, OverflowError, OSError) as error:
            log.warning("an entry of the stream is no event", entry=entry_id.decode(), error=str(error))
            return
        for viewer in viewers or ():
            _offer(viewer, frame)

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
    """Return the entries of the one stream that was asked for, from RESP2's list or RESP3's map."""
    if not answer:
        return []
    if isinstance(answer, dict):
        batches = next(iter(answer.values()))
        return list(batches[0]) if batches and isinstance(batches[0], list) else list(batches)
    return list(answer[0][1])
