"""Live events: a Redis stream from the processes that commit events to the viewers that watch them.

All jobs share one capped stream, so that a process needs one reader for all its viewers. The stream is a short cut and
not the record: a viewer that misses an event finds it in the database.
"""

from collections.abc import Iterable
from typing import Any

import orjson
from redis import Redis

from store import tables

STREAM = "saddle:events"
MAX_ENTRIES = 10_000


def publish(redis: Redis, events: Iterable[tables.Event]) -> None:
    """Send events. Raises redis.RedisError."""
    with redis.pipeline(transaction=False) as pipe:
        for event in events:
            pipe.xadd(STREAM, {"event": orjson.dumps(encode(event))}, maxlen=MAX_ENTRIES, approximate=True)
        pipe.execute()


def encode(event: tables.Event) -> dict[str, Any]:
    return {
        "job_id": event.job_id,
        "id": event.id,
        "type": event.type,
        "at": event.at,
        "images_seen": event.images_seen,
        "data": event.data,
    }


def decode(fields: dict[bytes, bytes]) -> tables.Event:
    return tables.Event(**orjson.loads(fields[b"event"]), tick_images=None)
