"""Posted forms: small and URL-encoded."""

from http import HTTPStatus
from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import Depends, Request

from api.http.errors import Problem

MAX_BYTES = 10_000
MAX_FIELDS = 10


async def _fields(request: Request) -> dict[str, str]:
    """Return the fields. Raises Problem: 413 for a long body, 415 for another media type, 400 for what is no form."""
    raw = b""
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > MAX_BYTES:
            raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the form is larger than {MAX_BYTES} bytes")
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if raw and media_type != "application/x-www-form-urlencoded":
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send the form as application/x-www-form-urlencoded")
    try:
        return dict(parse_qsl(raw.decode("ascii"), keep_blank_values=True, max_num_fields=MAX_FIELDS))
    except ValueError as error:
        raise Problem(HTTPStatus.BAD_REQUEST, "the body is no URL-encoded form") from error


Form = Annotated[dict[str, str], Depends(_fields)]
