"""/v1/datasets: the datasets that a job can be trained on."""

from functools import cache
from http import HTTPStatus
from pathlib import Path

from fastapi import APIRouter, Response

from api.http import pages
from api.http.access import Reader, Using
from api.http.answers import Answer
from api.http.errors import Problem, documented, not_found
from api.http.pages import Page
from models import data
from models.data import catalog
from models.generation import pictures

router = APIRouter(prefix="/v1/datasets", tags=["datasets"])


class DatasetOut(Answer):
    id: str
    title: str
    resolution: int
    channels: int
    images: int
    classes: list[str]
    modes: int | None
    """How many separate modes the metric `modes` counts; null: not known."""


@router.get("", response_model=Page[DatasetOut], responses=documented())
def index(who: Reader) -> Page[DatasetOut]:
    return pages.whole([_out(entry) for entry in catalog.BUILTIN.values()])


@router.get(
    "/{dataset_id}",
    response_model=DatasetOut,
    responses=documented(HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY),
)
def show(who: Reader, dataset_id: str) -> DatasetOut:
    return _out(_builtin(dataset_id))


@router.get(
    "/{dataset_id}/preview.png",
    response_class=Response,
    responses={
        **documented(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY),
        200: {
            "content": {"image/png": {"schema": {"type": "string", "format": "binary"}}},
            "description": "Its first 64 images, or a scatter of its first 4,096 points",
        },
    },
)
def preview(services: Using, who: Reader, dataset_id: str) -> Response:
    """Draw a preview of the dataset."""
    entry = _builtin(dataset_id)
    try:
        content = _preview_png(entry.name, services.settings.datasets_dir)
    except data.DatasetError as error:
        raise Problem(HTTPStatus.CONFLICT, str(error)) from error
    return Response(content, media_type="image/png", headers={"Cache-Control": "private, max-age=3600"})


@cache
def _preview_png(name: str, folder: Path) -> bytes:
    """Draw a preview, once: the built-in datasets do not change. Raises data.DatasetError."""
    return pictures.png(pictures.preview_HWC(data.BUILTIN[name](folder=folder, split="train")))


def _builtin(dataset_id: str) -> catalog.Builtin:
    """Return a dataset's entry in the catalog. Raises Problem 404."""
    if dataset_id not in catalog.BUILTIN:
        raise not_found(f"no dataset {dataset_id!r}: there are {', '.join(catalog.BUILTIN)}")
    return catalog.BUILTIN[dataset_id]


def _out(entry: catalog.Builtin) -> DatasetOut:
    facts = entry.facts
    return DatasetOut(
        id=entry.name,
        title=entry.title,
        resolution=facts.resolution,
        channels=facts.channels,
        images=facts.images,
        classes=list(entry.class_names),
        modes=facts.modes,
    )
