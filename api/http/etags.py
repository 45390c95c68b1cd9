"""Entity tags: whether the client already has what it asks for."""

import re

from fastapi import Request

TAG = re.compile(r'(?:W/)?("[^"]*")')


def is_known(etag: str, request: Request) -> bool:
    """Return whether If-None-Match names this tag, so that the answer is 304.

    Tags are compared weakly, as RFC 9110, 13.1.2, asks; `*` names every tag.
    """
    names = ", ".join(request.headers.getlist("if-none-match"))
    return names.strip() == "*" or etag.removeprefix("W/") in TAG.findall(names)
