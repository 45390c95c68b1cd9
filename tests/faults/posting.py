"""POSTs of a client that does not give up: it repeats each with the same key until there is an answer."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any, TypeVar

import httpx

RETRY_SECONDS = 0.1
GIVE_UP_SECONDS = 90.0
PASSING = {HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS}
T = TypeVar("T")


def post(http: httpx.Client, spec: dict[str, Any], *, key: str) -> httpx.Response:
    """Post a job until there is an answer."""
    return insist(lambda: http.post("/v1/jobs", json=spec, headers={"Idempotency-Key": key}))


def insist(send: Callable[[], httpx.Response]) -> httpx.Response:
    """Return the first answer that time would not change."""
    deadline = time.monotonic() + GIVE_UP_SECONDS
    while True:
        try:
            response = send()
        except httpx.TransportError:
            if time.monotonic() > deadline:
                raise
        else:
            if response.status_code not in PASSING or time.monotonic() > deadline:
                return response
        time.sleep(RETRY_SECONDS)  # while the API is dead nothing tells when it is back: as any client, ask again


def at_once(number: int, work: Callable[[int], T]) -> list[T]:
    """Return the results of `number` threads, which all start together."""
    with ThreadPoolExecutor(number) as threads:
        return list(threads.map(work, range(number)))
