"""A job's server-sent events: decodes the stream and follows it across cuts."""

import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager

import httpx
from pydantic import ValidationError

from saddle.errors import ApiError, UnexpectedAnswer, Unreachable
from saddle.schemas import Event

MEDIA_TYPE = "text/event-stream"
MAX_FAILURES = 10
"""Following ends after this many connections in a row without any data."""
FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 15.0


def follow(
    connect: Callable[[int], AbstractContextManager[Iterable[bytes]]],
    *,
    after: int,
    has_ended: Callable[[], bool],
    sleep: Callable[[float], None],
) -> Iterator[Event]:
    """Yield the events after the given id, oldest first, ids strictly rising, until the job has ended and all were
    sent.

    `connect` opens the stream after an event id. After a cut, and a wait that doubles, it opens another one after the
    last event seen. A failure of the first connection is raised at once. Later, MAX_FAILURES tries in a row without a
    sign of life raise what the last one raised.

    Raises Unreachable, ApiError (a refusal, such as 404 once the job was deleted) and UnexpectedAnswer.
    """
    last_id = after
    connected = complete = known_ended = False
    failures = 0
    while True:
        heard, wire = False, _Wire()
        problem: Unreachable | ApiError = Unreachable("the event stream was closed before the job ended, repeatedly")
        try:
            with connect(last_id) as chunks:
                connected = True
                for event in decode(wire.carry(chunks)):
                    if event.id <= last_id:
                        continue
                    last_id, heard, complete = event.id, True, event.ends_the_job
                    yield event
            if complete:
                return
            if not heard:
                # Closed without data: nothing follows the last event of a job that had ended before we connected.
                if known_ended:
                    return
                known_ended = has_ended()
        except httpx.RequestError as error:
            problem = Unreachable(f"the event stream was cut: {error or type(error).__name__}")
        except Unreachable as error:
            problem = error
        except ApiError as error:
            if error.status not in {429, 503}:
                raise
            problem = error
        failures = 1 if wire.alive else failures + 1
        if not connected or failures >= MAX_FAILURES:
            raise problem
        sleep(_wait_seconds(problem, failures=failures))


class _Wire:
    """Notes whether a connection carried anything. On a quiet job, only heartbeats come."""

    def __init__(self) -> None:
        self.alive = False

    def carry(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self.alive = True
            yield chunk


def _wait_seconds(problem: Unreachable | ApiError, *, failures: int) -> float:
    """Return a wait that doubles with every failure.

    It is drawn from its upper half, so that viewers who were cut together do not return together.
    """
    asked = problem.retry_after_seconds if isinstance(problem, ApiError) else None
    longest = asked or FIRST_WAIT_SECONDS * 2 ** (failures - 1)
    return min(LONGEST_WAIT_SECONDS, longest) * random.uniform(0.5, 1.0)


def decode(chunks: Iterable[bytes]) -> Iterator[Event]:
    """Decode the events of a text/event-stream. A frame that the stream's end cuts off is dropped, as its standard
    says.

    Raises UnexpectedAnswer for a whole frame that holds no event.
    """
    data: list[bytes] = []
    for line in _lines(chunks):
        if line:
            field, _, value = line.partition(b":")
            if field == b"data":
                data.append(value.removeprefix(b" "))
        elif data:
            text = b"\n".join(data)
            data.clear()
            try:
                event = Event.model_validate_json(text)
            except ValidationError as error:
                raise UnexpectedAnswer(f"not an event: {text[:200].decode(errors='replace')}") from error
            yield event


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield whole lines, ended by LF or CRLF alone.

    httpx's own `iter_lines` also splits at U+2028, which JSON may hold.
    """
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.removesuffix(b"\r")
