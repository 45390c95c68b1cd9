"""Live events: what a Redis stream carries from those who commit events to those who watch them.

One capped stream for all jobs, so that a process of viewers needs one reader. It is a short cut, not the record: a
viewer that misses an event finds it in the database.
"""

from collections.abc import Iterable
from typing import Any

import orjson
from redis import Redis

from store import tables

STREAM = "saddle:events"
MAX_ENTRIES = 10_000


def publish(redis: Redis, events: Iterable[tables.Event]) -> None:
    """Raises redis.RedisError."""
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
