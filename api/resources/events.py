"""/v1/…/{id}/events: the events of a job, an import or an evaluation, as a list or as a stream that goes on live."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from pydantic import GetJsonSchemaHandler, TypeAdapter
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from api.http import pages
from api.http.access import Reader, Using
from api.http.answers import Answer, Instant
from api.http.errors import documented
from api.http.ids import DatasetId, EvaluationId, JobId
from api.http.pages import Page
from api.live import Frame, Hub
from api.services import Services
from store import database, datasets, evaluations, events, jobs, payloads, states, tables

router = APIRouter(prefix="/v1", tags=["events"])
BATCH = 200
PING_SECONDS = 15
LOOK_SECONDS = 5.0
"""A viewer that gets no event for this long reads the database: Redis may be away."""
SSE = {"text/event-stream": {"example": "id: 1\nevent: state\ndata: {…}\n\n"}}
AfterId = Annotated[int, Query(ge=0, le=2**53, description="Only events after this id")]


class _Documented:
    """Documents the payloads of `data`, which is answered as it was stored: an older release may have stored others."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(TypeAdapter(payloads.Payload).core_schema)


class EventOut(Answer):
    id: int
    type: str
    """One of state, metrics, checkpoint, evaluation, guard and log."""
    at: Instant
    images_seen: int
    data: Annotated[dict[str, Any], _Documented()]
    """By the type. `GET /v1/figures` lists the numbers of `metrics` and `evaluation`."""


def frame(event: tables.Event) -> Frame:
    """Return an event, encoded as it is streamed."""
    data = EventOut.model_validate(event).model_dump_json()
    sse = ServerSentEvent(data=data, event=event.type, id=str(event.id), sep="\n").encode()
    return Frame(event.id, sse, ends=event.type == "state" and event.data.get("status") in states.ENDED)


@dataclass(frozen=True)
class Wish:
    """The part of the events that a client asks for, as a list or as a stream."""

    request: Request
    after: AfterId = 0
    limit: Annotated[int, Query(ge=1, le=1000, description="Of the list")] = 100
    last_event_id: Annotated[str | None, Header(description="Go on after this event; what a browser sends")] = None


Asked = Annotated[Wish, Depends()]
ANSWERS: dict[str, Any] = {
    "response_model": Page[EventOut],
    "responses": {
        **documented(HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY),
        200: {"content": SSE, "description": "With `Accept: application/json` a list, else server-sent events"},
    },
}


@router.get("/jobs/{job_id}/events", **ANSWERS)
async def follow(services: Using, who: Reader, job_id: JobId, asked: Asked) -> Response:
    """List or stream a job's events, oldest first. The stream sends the history, goes on live and ends with the job."""

    def find(session: Session) -> tables.Job:
        return jobs.get(session, job_id=job_id, tenant=who.tenant)

    return await _answer(services, asked, find)


@router.get("/datasets/{dataset_id}/events", **ANSWERS)
async def follow_import(services: Using, who: Reader, dataset_id: DatasetId, asked: Asked) -> Response:
    """List or stream the events of a dataset's import, as of a job."""

    def find(session: Session) -> tables.Job:
        return datasets.get(session, dataset_id=dataset_id, tenant=who.tenant).job

    return await _answer(services, asked, find)


@router.get("/evaluations/{evaluation_id}/events", **ANSWERS)
async def follow_evaluation(services: Using, who: Reader, evaluation_id: EvaluationId, asked: Asked) -> Response:
    """List or stream the events of an evaluation, as of a job."""

    def find(session: Session) -> tables.Job:
        return evaluations.get(session, evaluation_id=evaluation_id, tenant=who.tenant).job

    return await _answer(services, asked, find)


async def _answer(services: Services, asked: Wish, find: Callable[[Session], tables.Job]) -> Response:
    def look() -> tuple[str, int]:
        with services.database.read() as session:
            job = find(session)
            return job.id, job.last_event_id

    job_id, newest = await run_in_threadpool(look)
    # A browser that reconnects asks for the same address as before and adds the header.
    start = max(asked.after, _event_id(asked.last_event_id, newest=newest))
    if "application/json" in asked.request.headers.get("accept", ""):
        rows = await run_in_threadpool(_after, services, job_id, start, asked.limit + 1)
        page = pages.page(EventOut, rows[: asked.limit], more=len(rows) > asked.limit)
        return Response(page.model_dump_json(), media_type="application/json")
    hub: Hub = asked.request.app.state.hub
    return EventSourceResponse(_stream(services, hub, job_id=job_id, start=start), ping=PING_SECONDS, send_timeout=30)


async def _stream(services: Services, hub: Hub, *, job_id: str, start: int) -> AsyncIterator[bytes]:
    last, ended = start, False
    with hub.watch(job_id) as viewer:
        behind, far = True, False
        while True:
            while behind:
                batch = await _replay_patiently(services, hub, job_id, last, far=far)
                if batch.sse:
                    last, ended = batch.last_id, batch.ends
                    yield batch.sse
                behind = far = batch.is_full
            if ended:  # a retry would have come after it
                return
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    heard = await viewer.get()
            except TimeoutError:
                heard = None
            if heard is None:
                if await _is_over(services, job_id, last):
                    return
                behind = True
            elif heard.id == last + 1:
                last, ended = heard.id, heard.ends
                yield heard.sse
            else:
                behind = heard.id > last


@dataclass(frozen=True)
class Batch:
    """A part of the history, encoded. It holds only bytes: a viewer that does not read keeps it in memory."""

    sse: bytes
    last_id: int
    ends: bool
    is_full: bool


async def _replay_patiently(services: Services, hub: Hub, job_id: str, last: int, *, far: bool) -> Batch:
    """Read the next part. While the database is away, wait: it is too late for an error status."""

    def read() -> Batch:
        return _replay(services, job_id, last)

    while True:
        try:
            return await (hub.in_turn(read) if far else run_in_threadpool(read))
        except DBAPIError as error:
            if not database.is_outage(error):
                raise
        await asyncio.sleep(LOOK_SECONDS)


def _replay(services: Services, job_id: str, last: int) -> Batch:
    frames = [frame(row) for row in _after(services, job_id, last, BATCH)]
    sse = b"".join(sent.sse for sent in frames)
    newest = frames[-1] if frames else Frame(last, b"", ends=False)
    return Batch(sse, newest.id, newest.ends, is_full=len(frames) == BATCH)


async def _is_over(services: Services, job_id: str, last: int) -> bool:
    """Return whether no more events will come: the job ended before the viewer came, or has been deleted."""

    def look() -> bool:
        with services.database.read() as session:
            job = session.get(tables.Job, job_id)
            return job is None or (job.status in states.ENDED and job.last_event_id <= last)

    try:
        return await run_in_threadpool(look)
    except DBAPIError as error:
        if not database.is_outage(error):
            raise
        return False


def _after(services: Services, job_id: str, last: int, limit: int) -> list[tables.Event]:
    with services.database.read() as session:
        return events.after(session, job_id=job_id, event_id=last, limit=limit)


def _event_id(text: str | None, *, newest: int) -> int:
    """Return the last event that a client has seen. A malformed id means none, too large a one the newest."""
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 18:
        return 0
    return min(int(text), newest)
