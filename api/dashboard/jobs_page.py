"""/: the jobs, newest first, and the state of the installation."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response

from api.dashboard import rendering
from api.dashboard.installation import Installation
from api.dashboard.routing import PageRoute, Viewer
from api.http.access import Using
from api.http.ids import pattern
from api.resources.jobs.answers import JobOut
from models.specs import figures
from store import jobs, states

router = APIRouter(route_class=PageRoute)
JOBS_A_PAGE = 25


@router.get("/")
def show(
    request: Request,
    services: Using,
    viewer: Viewer,
    after: Annotated[str | None, Query(pattern=pattern("job"))] = None,
    status: Annotated[str | None, Query(pattern=f"^({'|'.join(states.STATUSES)})$")] = None,
) -> Response:
    with services.database.read() as session:
        rows, more = jobs.page(
            session, tenant=viewer.tenant, limit=JOBS_A_PAGE, after=after, status=status, dataset=None, labels={}
        )
        installation = Installation.of(services, session)
    context = {
        "jobs": [JobOut.model_validate(row) for row in rows],
        "headline": figures.headline,
        "active": any(row.status not in states.ENDED for row in rows),
        "status": status,
        "statuses": states.STATUSES,
        "newest": _address(status=status, after=None) if after else None,
        "older": _address(status=status, after=rows[-1].id) if more else None,
        "installation": installation,
        "base_url": str(request.base_url).rstrip("/"),
        "auth": services.settings.auth,
    }
    return rendering.page(request, "jobs.html", viewer=viewer, context=context)


def _address(*, status: str | None, after: str | None) -> str:
    query = urlencode({name: value for name, value in (("status", status), ("after", after)) if value})
    return f"/?{query}" if query else "/"
