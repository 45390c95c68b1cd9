"""Live events: a Redis stream from the processes that commit events to the viewers that watch them.

All jobs share one capped stream, so that a process needs one reader for all its viewers. The stream is a short cut and
not the record: a viewer that misses an event finds it in the database.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict
from redis import Redis

from store import tables

STREAM = "saddle:events"
MAX_ENTRIES = 10_000


class Entry(BaseModel):
    """The fields of a stream entry. They are checked: anybody with access to Redis can write there."""

    model_config = ConfigDict(strict=True)

    job_id: str
    id: int
    type: str
    at: float
    images_seen: int
    data: dict[str, Any]


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


def decode(fields: Mapping[bytes, bytes]) -> tables.Event:
    """Return the event of an entry. Raises ValueError for an entry that is none."""
    entry = Entry.model_validate(orjson.loads(fields.get(b"event", b"")))
    return tables.Event(**vars(entry), tick_images=None)
