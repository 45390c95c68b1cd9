"""/v1/workers: the workers of the installation. For admins."""

from http import HTTPStatus

from fastapi import APIRouter

from api.http import pages
from api.http.access import Admin, Using
from api.http.answers import Answer, Instant
from api.http.errors import documented
from api.http.pages import Page
from store import workers

router = APIRouter(tags=["health"])


class WorkerOut(Answer):
    id: str
    host: str
    pid: int
    device: str
    job_id: str | None
    started_at: Instant
    seen_at: Instant
    alive: bool


@router.get("/v1/workers", response_model=Page[WorkerOut], responses=documented(HTTPStatus.FORBIDDEN))
def index(services: Using, who: Admin) -> Page[WorkerOut]:
    """List the workers that were seen within the last day. For admins, since it tells of every tenant's jobs."""
    with services.database.read() as session:
        living = workers.living(session, within_seconds=services.settings.lease_seconds)
        rows = workers.newest_first(session, limit=100)
    alive = {row.id for row in living}
    return pages.whole(
        [
            WorkerOut(
                id=row.id,
                host=row.host,
                pid=row.pid,
                device=row.device,
                job_id=row.job_id,
                started_at=row.started_at,
                seen_at=row.seen_at,
                alive=row.id in alive,
            )
            for row in rows
        ]
    )
