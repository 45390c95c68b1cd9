"""Request bodies: JSON of a limited size, read once, with errors that say what to change."""

import hashlib
import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import Request

from api.http.errors import Problem

MAX_DEPTH = 32


@dataclass(frozen=True)
class JsonBody:
    """A JSON object, and a digest of the request by which a reused idempotency key is detected."""

    data: dict[str, Any]
    fingerprint: str


async def json_body(request: Request) -> JsonBody:
    """Read a JSON object. NaN and Infinity are let through: the schema refuses them by the name of their field.

    Raises Problem: 415 for another media type, 413 for a body over the limit, 400 for invalid JSON or too many
    levels, 422 for JSON other than an object.
    """
    raw = await _read(request, limit=request.app.state.services.settings.max_body_bytes)
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send the body as application/json")
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Problem(HTTPStatus.BAD_REQUEST, f"the body is no JSON: {str(error) or 'nested too deep'}") from error
    if _depth_exceeds(data, MAX_DEPTH):
        raise Problem(HTTPStatus.BAD_REQUEST, f"the body nests deeper than {MAX_DEPTH} levels")
    if not isinstance(data, dict):
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "the body must be a JSON object")
    digest = hashlib.sha256(f"{request.method} {request.url.path}\n".encode() + raw).hexdigest()
    return JsonBody(data=data, fingerprint=digest)


async def _read(request: Request, *, limit: int) -> bytes:
    """Count the bytes that arrive: Content-Length may be wrong."""
    parts, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is larger than {limit} bytes")
        parts.append(chunk)
    return b"".join(parts)


def _depth_exceeds(data: Any, limit: int) -> bool:
    level = [data]
    for _ in range(limit):
        level = [
            inner
            for value in level
            if isinstance(value, dict | list)
            for inner in (value.values() if isinstance(value, dict) else value)
        ]
        if not level:
            return False
    return True
