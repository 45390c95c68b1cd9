"""/v1/jobs/{id}/events: what happened to a job, as a list or as a stream that goes on live."""

import asyncio
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response
from sqlalchemy.exc import DBAPIError
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from api.access import Reader, Using
from api.errors import documented
from api.jobs import JobId
from api.live import Hub
from api.schemas import EventOut, Page
from api.services import Services
from store import database, events, jobs, tables

router = APIRouter(prefix="/v1/jobs", tags=["events"])
BATCH = 500
PING_SECONDS = 15
LOOK_SECONDS = 5.0
"""A viewer that heard nothing for so long looks into the database: Redis may be away."""
SSE = {"text/event-stream": {"example": "id: 1\nevent: state\ndata: {…}\n\n"}}
AfterId = Annotated[int, Query(ge=0, le=2**53, description="Only events after this id")]


@router.get(
    "/{job_id}/events",
    response_model=Page[EventOut],
    responses={
        **documented(HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY),
        200: {"content": SSE, "description": "With `Accept: application/json` a list, else server-sent events"},
    },
)
async def follow(
    request: Request,
    services: Using,
    who: Reader,
    job_id: JobId,
    after: AfterId = 0,
    limit: Annotated[int, Query(ge=1, le=1000, description="Of the list")] = 100,
    last_event_id: Annotated[str | None, Header(description="Go on after this event; what a browser sends")] = None,
) -> Response:
    """Oldest first. The stream sends the history, then goes on live, and ends when the job has ended."""
    job = await run_in_threadpool(_job, services, job_id, who.tenant)
    # A browser that reconnects repeats the address that it began with and adds the header.
    start = max(after, _event_id(last_event_id, newest=job.last_event_id))
    if "application/json" in request.headers.get("accept", ""):
        rows = await run_in_threadpool(_after, services, job_id, start, limit + 1)
        shown = [EventOut.of(row) for row in rows[:limit]]
        more = len(rows) > limit
        page: Page[EventOut] = Page(data=shown, has_more=more, next=str(shown[-1].id) if more else None)
        return Response(page.model_dump_json(), media_type="application/json")
    hub: Hub = request.app.state.hub
    return EventSourceResponse(_stream(services, hub, job_id=job_id, start=start), ping=PING_SECONDS, send_timeout=30)


async def _stream(services: Services, hub: Hub, *, job_id: str, start: int) -> AsyncIterator[ServerSentEvent]:
    last = start
    with hub.watch(job_id) as viewer:
        behind = True
        while True:
            while behind:
                rows = await _after_patiently(services, job_id, last)
                for row in rows:
                    last = row.id
                    yield _sse(row)
                    if _ends(row):
                        return
                behind = len(rows) == BATCH
            try:
                event = await asyncio.wait_for(viewer.get(), LOOK_SECONDS)
            except TimeoutError:
                event = None
            if event is None:
                # Deleted while it was watched: there is nothing more to come.
                if not await _exists(services, job_id):
                    return
                behind = True
            elif event.id == last + 1:
                last = event.id
                yield _sse(event)
                if _ends(event):
                    return
            else:
                behind = event.id > last


async def _after_patiently(services: Services, job_id: str, last: int) -> list[tables.Event]:
    """While the database is away the viewer waits: it has its answer's headers already."""
    while True:
        try:
            return await run_in_threadpool(_after, services, job_id, last, BATCH)
        except DBAPIError as error:
            if not database.is_outage(error):
                raise
        await asyncio.sleep(LOOK_SECONDS)


async def _exists(services: Services, job_id: str) -> bool:
    def look() -> bool:
        with services.database.read() as session:
            return session.get(tables.Job, job_id) is not None

    try:
        return await run_in_threadpool(look)
    except DBAPIError as error:
        if not database.is_outage(error):
            raise
        return True


def _job(services: Services, job_id: str, tenant: str) -> tables.Job:
    with services.database.read() as session:
        return jobs.get(session, job_id=job_id, tenant=tenant)


def _after(services: Services, job_id: str, last: int, limit: int) -> list[tables.Event]:
    with services.database.read() as session:
        return events.after(session, job_id=job_id, event_id=last, limit=limit)


def _sse(event: tables.Event) -> ServerSentEvent:
    return ServerSentEvent(data=EventOut.of(event).model_dump_json(), event=event.type, id=str(event.id), sep="\n")


def _ends(event: tables.Event) -> bool:
    return event.type == "state" and event.data.get("status") in jobs.ENDED


def _event_id(text: str | None, *, newest: int) -> int:
    """What a client claims to have seen; nonsense replays from the start, the future goes on from now."""
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 18:
        return 0
    return min(int(text), newest)
