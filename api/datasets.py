"""/v1/datasets: what can be trained on."""

from http import HTTPStatus

from fastapi import APIRouter

from api.access import Reader
from api.errors import documented, not_found
from api.schemas import DatasetOut, Page
from models import catalog

router = APIRouter(prefix="/v1/datasets", tags=["datasets"])


@router.get("", response_model=Page[DatasetOut], responses=documented())
def index(who: Reader) -> Page[DatasetOut]:
    return Page(data=[_out(facts) for facts in catalog.BUILTIN.values()], has_more=False, next=None)


@router.get(
    "/{dataset_id}",
    response_model=DatasetOut,
    responses=documented(HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY),
)
def show(who: Reader, dataset_id: str) -> DatasetOut:
    if dataset_id not in catalog.BUILTIN:
        raise not_found(f"no dataset {dataset_id!r}: there are {', '.join(catalog.BUILTIN)}")
    return _out(catalog.BUILTIN[dataset_id])


def _out(facts: catalog.DatasetFacts) -> DatasetOut:
    return DatasetOut(
        id=facts.name,
        title=facts.title,
        resolution=facts.resolution,
        channels=facts.channels,
        images=facts.images,
        classes=list(facts.classes),
    )
