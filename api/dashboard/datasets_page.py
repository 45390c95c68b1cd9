"""/datasets: the datasets, and a form to import more; /datasets/{id}: one of them, with its report."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from api.dashboard import rendering
from api.dashboard.routing import PageRoute, Viewer
from api.http.access import Using
from api.http.errors import not_found
from api.http.ids import pattern
from api.resources.datasets import answers, contents
from models.data import catalog
from store import datasets, ids

router = APIRouter(route_class=PageRoute)
DATASETS_A_PAGE = 25


@router.get("/datasets")
def index(
    request: Request,
    services: Using,
    viewer: Viewer,
    after: Annotated[str | None, Query(pattern=pattern("ds"))] = None,
) -> Response:
    with services.database.read() as session:
        rows, more = datasets.page(session, tenant=viewer.tenant, limit=DATASETS_A_PAGE, after=after)
    found = [answers.imported(row) for row in rows]
    context = {
        "datasets": found if more else [*found, *map(answers.builtin, catalog.BUILTIN.values())],
        "active": any(dataset.status == "importing" for dataset in found),
        "newest": "/datasets" if after else None,
        "older": f"/datasets?after={rows[-1].id}" if more else None,
        "may_write": viewer.may("write"),
        "max_upload_bytes": services.settings.max_upload_bytes,
    }
    return rendering.page(request, "datasets.html", viewer=viewer, context=context)


@router.get("/datasets/{dataset_id}")
def show(request: Request, services: Using, viewer: Viewer, dataset_id: str) -> Response:
    """Show a dataset. A malformed id is answered like another tenant's: 404."""
    if dataset_id in catalog.BUILTIN:
        dataset, report = answers.builtin(catalog.BUILTIN[dataset_id]), None
    elif ids.is_valid(dataset_id, prefix="ds"):
        with services.database.read() as session:
            row = datasets.get(session, dataset_id=dataset_id, tenant=viewer.tenant)
        dataset = answers.imported(row)
        report = contents.read_report(services, row) if row.path is not None else None
    else:
        raise not_found("no such dataset")
    context = {"dataset": dataset, "report": report, "may_write": viewer.may("write")}
    return rendering.page(request, "dataset.html", viewer=viewer, context=context)
