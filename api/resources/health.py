"""/healthz, /readyz and /metrics: the state of the installation."""

from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from pydantic import BaseModel
from redis import RedisError
from sqlalchemy.exc import DBAPIError

from api.http.access import Using
from api.live import Hub
from store import workers

router = APIRouter(tags=["health"])


class Health(BaseModel):
    status: str


class Readiness(BaseModel):
    """For each part `ok`, or what is wrong with it."""

    ready: bool
    database: str
    redis: str
    workers: str
    live: str
    """The reader of live events. While it is down, viewers hear of events late."""


@router.get("/healthz", response_model=Health)
def healthz() -> Health:
    """Check that the process answers."""
    return Health(status="ok")


@router.get("/readyz", response_model=Readiness, responses={503: {"model": Readiness, "description": "Not ready"}})
def readyz(request: Request, services: Using, response: Response) -> Readiness:
    """Check that the database and Redis answer, that a worker was seen lately and that live events are read."""
    living = 0
    try:
        with services.database.read() as session:
            living = len(workers.living(session, within_seconds=services.settings.lease_seconds))
        database = "ok"
    except DBAPIError as error:
        database = f"away: {type(error.orig).__name__}"
    try:
        services.queue.ping()
        redis = "ok"
    except (RedisError, OSError) as error:
        redis = f"away: {type(error).__name__}"
    workers_state = "ok" if living else "none seen lately"
    hub: Hub = request.app.state.hub
    live = hub.trouble or "ok"
    ready = database == redis == workers_state == live == "ok"
    if not ready:
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
    return Readiness(ready=ready, database=database, redis=redis, workers=workers_state, live=live)


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Prometheus text"}},
)
def metrics(request: Request) -> Response:
    """Return counts and durations for Prometheus, without names or ids."""
    registry: CollectorRegistry = request.app.state.telemetry.registry
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
