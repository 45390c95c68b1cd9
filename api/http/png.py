"""PNG answers whose pictures never change."""

from typing import Any

from fastapi import Response

HEADERS = {"Cache-Control": "private, max-age=3600"}


def described(what: str) -> dict[int | str, dict[str, Any]]:
    """Return the answer's place in the API's description."""
    return {
        200: {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}, "description": what},
    }


def answer(content: bytes) -> Response:
    return Response(content, media_type="image/png", headers=HEADERS)
