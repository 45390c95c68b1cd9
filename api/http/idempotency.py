"""Idempotent creation: a creating POST that is sent again with its key gets its first answer again."""

from collections.abc import Callable
from typing import Annotated, TypeVar

from fastapi import Header, Response
from sqlalchemy.orm import Session

from api.http.access import Principal
from api.services import Services
from store import idempotency
from store.idempotency import Answer

IdempotencyKey = Annotated[
    str | None,
    Header(min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$", description="The same key: the same answer"),
]
T = TypeVar("T")


def find(services: Services, who: Principal, *, key: str | None, fingerprint: str) -> Response | None:
    """Return the answer that this request got before, or None if it is new.

    Only needed before work that precedes the transaction: `create` looks again. Raises IdempotencyMismatch.
    """
    if key is None:
        return None
    with services.database.read() as session:
        earlier = idempotency.find(session, tenant=who.tenant, key=key, fingerprint=fingerprint)
    return None if earlier is None else _response(earlier)


def create(
    services: Services,
    who: Principal,
    *,
    key: str | None,
    fingerprint: str,
    make: Callable[[Session], T],
    answer: Callable[[T], Answer],
) -> tuple[Response, bool]:
    """Create something in one transaction with its answer, unless an earlier request with the key has done so.

    Return the answer, and whether it is new. Raises IdempotencyMismatch.
    """
    with services.database.write() as session:
        if key is not None:
            earlier = idempotency.reserve(session, tenant=who.tenant, key=key, fingerprint=fingerprint)
            if earlier is not None:
                return _response(earlier), False
        told = answer(make(session))
        if key is not None:
            idempotency.fulfil(session, tenant=who.tenant, key=key, answer=told)
    return _response(told), True


def _response(answer: Answer) -> Response:
    headers = {"Location": answer.location}
    return Response(answer.body, status_code=answer.status, headers=headers, media_type="application/json")
