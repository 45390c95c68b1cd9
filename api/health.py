"""/healthz, /readyz, /metrics and /v1/workers: how the installation is."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from pydantic import BaseModel
from redis import RedisError
from sqlalchemy.exc import DBAPIError

from api.access import Admin, Using
from api.errors import documented
from api.schemas import Page, WorkerOut, instant
from api.services import Services
from store import jobs, workers

router = APIRouter(tags=["health"])


class Health(BaseModel):
    status: str


class Readiness(BaseModel):
    """`ok`, or what is wrong, by part."""

    ready: bool
    database: str
    redis: str
    workers: str


@router.get("/healthz", response_model=Health)
def healthz() -> Health:
    """The process answers."""
    return Health(status="ok")


@router.get("/readyz", response_model=Readiness, responses={503: {"model": Readiness, "description": "Not ready"}})
def readyz(services: Using, response: Response) -> Readiness:
    """The database and Redis answer and a worker was seen lately."""
    living = 0
    try:
        with services.database.read() as session:
            living = len(_living(services, session))
        database = "ok"
    except DBAPIError as error:
        database = f"away: {type(error.orig).__name__}"
    try:
        services.queue.ping()
        redis = "ok"
    except (RedisError, OSError) as error:
        redis = f"away: {type(error).__name__}"
    workers_state = "ok" if living else "none seen lately"
    ready = database == redis == workers_state == "ok"
    if not ready:
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
    return Readiness(ready=ready, database=database, redis=redis, workers=workers_state)


@router.get("/v1/workers", response_model=Page[WorkerOut], responses=documented(HTTPStatus.FORBIDDEN))
def index(services: Using, who: Admin) -> Page[WorkerOut]:
    """The workers that were seen within the last day. For admins, since it tells of every tenant's jobs."""
    with services.database.read() as session:
        alive = {row.id for row in _living(services, session)}
        rows = workers.newest_first(session, limit=100)
    out = [
        WorkerOut(
            id=row.id,
            host=row.host,
            pid=row.pid,
            device=row.device,
            job_id=row.job_id,
            started_at=instant(row.started_at),
            seen_at=instant(row.seen_at),
            alive=row.id in alive,
        )
        for row in rows
    ]
    return Page(data=out, has_more=False, next=None)


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Prometheus text"}},
)
def metrics(request: Request) -> Response:
    """For Prometheus. Counts and durations only: no names, no ids."""
    registry: CollectorRegistry = request.app.state.telemetry.registry
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


class Telemetry:
    """What Prometheus is told: requests as they are answered, jobs and workers as they are when it asks."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "saddle_http_requests_total", "Requests", ["method", "route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "saddle_http_request_seconds", "Seconds to the response's start", ["route"], registry=self.registry
        )
        self.registry.register(self)

    def describe(self) -> list[Any]:
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        up = GaugeMetricFamily("saddle_database_up", "1: the database answers")
        try:
            with self._services.database.read() as session:
                counts, living = jobs.counts(session), _living(self._services, session)
        except DBAPIError:
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        yield up
        by_status = GaugeMetricFamily("saddle_jobs", "Jobs by status", labels=["status"])
        for status, number in counts.items():
            by_status.add_metric([status], number)
        yield by_status
        alive = GaugeMetricFamily("saddle_workers", "Workers that were seen lately")
        alive.add_metric([], len(living))
        yield alive


def _living(services: Services, session: Any) -> list[Any]:
    return workers.living(session, within_seconds=services.settings.lease_seconds)
