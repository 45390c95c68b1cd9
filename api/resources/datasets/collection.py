"""/v1/datasets: list, show and delete datasets; cancel and repeat imports."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Response
from sqlalchemy.orm import Session

from api.http import pages
from api.http.access import Principal, Reader, Using, Writer
from api.http.errors import REFUSED, documented
from api.http.ids import AnyDataset, DatasetId, pattern
from api.http.pages import Page
from api.resources.datasets import answers
from api.resources.datasets.answers import DatasetOut
from api.services import Services
from models.data import catalog
from store import datasets, tables
from store.errors import Conflict, NotFound

router = APIRouter(prefix="/v1/datasets", tags=["datasets"])
CURSOR = f"{pattern('ds')}|^({'|'.join(catalog.BUILTIN)})$"


@router.get("", response_model=Page[DatasetOut], responses=documented(HTTPStatus.UNPROCESSABLE_ENTITY))
def index(
    services: Using,
    who: Reader,
    limit: pages.Limit = 20,
    after: Annotated[
        str | None,
        Query(pattern=CURSOR, description="The `next` of the page before"),
    ] = None,
) -> Page[DatasetOut]:
    """List your datasets, newest first, then the built-in ones."""
    builtin = list(catalog.BUILTIN)
    rows: list[tables.Dataset] = []
    more = False
    if after not in catalog.BUILTIN:
        with services.database.read() as session:
            rows, more = datasets.page(session, tenant=who.tenant, limit=limit, after=after)
    else:
        builtin = builtin[builtin.index(after) + 1 :]
    found = [answers.imported(row) for row in rows]
    if not more:
        room = limit - len(found)
        more = len(builtin) > room
        found += [answers.builtin(catalog.BUILTIN[name]) for name in builtin[:room]]
    return Page(data=found, has_more=more, next=found[-1].id if more else None)


@router.get(
    "/{dataset_id}",
    response_model=DatasetOut,
    responses=documented(HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY),
)
def show(services: Using, who: Reader, dataset_id: AnyDataset) -> DatasetOut:
    if dataset_id in catalog.BUILTIN:
        return answers.builtin(catalog.BUILTIN[dataset_id])
    with services.database.read() as session:
        return answers.imported(get(session, dataset_id, who))


@router.delete(
    "/{dataset_id}",
    status_code=204,
    responses=documented(*REFUSED, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
)
def delete(services: Using, who: Writer, dataset_id: AnyDataset) -> Response:
    """Delete an imported dataset, unless a job that has not ended needs it."""
    if dataset_id in catalog.BUILTIN:
        raise Conflict(f"{dataset_id} is built in and cannot be deleted")
    with services.database.write() as session:
        datasets.delete(session, dataset_id=dataset_id, tenant=who.tenant)
    services.artifacts.delete(f"datasets/{dataset_id}")
    return Response(status_code=204)


def _order(order: Callable[..., tables.Dataset], services: Services, who: Principal, dataset_id: str) -> DatasetOut:
    with services.database.write() as session:
        return answers.imported(order(session, dataset_id=dataset_id, tenant=who.tenant))


@router.post(
    "/{dataset_id}/cancel",
    response_model=DatasetOut,
    responses=documented(*REFUSED, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
)
def cancel(services: Using, who: Writer, dataset_id: DatasetId) -> DatasetOut:
    """Cancel an import."""
    return _order(datasets.cancel, services, who, dataset_id)


@router.post(
    "/{dataset_id}/retry",
    response_model=DatasetOut,
    responses=documented(*REFUSED, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
)
def retry(services: Using, who: Writer, dataset_id: DatasetId) -> DatasetOut:
    """Import the file again, after a failure or when the disk was full."""
    return _order(datasets.retry, services, who, dataset_id)


def get(session: Session, dataset_id: str, who: Principal) -> tables.Dataset:
    """Return a dataset. Raises NotFound."""
    try:
        return datasets.get(session, dataset_id=dataset_id, tenant=who.tenant)
    except NotFound as error:
        raise NotFound(f"no dataset {dataset_id!r}: built in are {', '.join(catalog.BUILTIN)}") from error
