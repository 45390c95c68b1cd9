"""/v1/datasets/{id}/…: the report of an import, and pictures of a dataset."""

import io
from functools import cache, lru_cache
from http import HTTPStatus
from pathlib import Path
from threading import Lock
from typing import Annotated, BinaryIO

import numpy as np
from fastapi import APIRouter, Response
from fastapi import Path as PathParameter

from api.http import png
from api.http.access import Principal, Reader, Using
from api.http.errors import Problem, documented, not_found
from api.http.ids import AnyDataset, DatasetId
from api.resources.datasets import collection
from api.services import Services
from models import data
from models.data import catalog, mapped
from models.data.images import ImageData
from models.data.importers import importing
from models.data.importers.report import Report
from models.generation import pictures
from models.specs import DatasetFacts
from store import datasets, tables
from store.errors import Conflict, NotFound

router = APIRouter(prefix="/v1/datasets", tags=["datasets"])


@router.get(
    "/{dataset_id}/report",
    response_model=Report,
    responses=documented(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY),
)
def report(services: Using, who: Reader, dataset_id: DatasetId) -> Response:
    """Show what the file held, what became of each picture, and advice."""
    return Response(_report(services, _ready(services, who, dataset_id)), media_type="application/json")


def read_report(services: Services, row: tables.Dataset) -> Report:
    """Return the report of a dataset that was imported. Raises NotFound."""
    return Report.model_validate_json(_report(services, row))


def _report(services: Services, row: tables.Dataset) -> bytes:
    assert row.path is not None
    with _open(services, row.path, importing.REPORT) as file:
        return file.read()


PNG = {
    **documented(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY),
    **png.described("A picture"),
}


@router.get("/{dataset_id}/preview.png", response_class=Response, responses=PNG)
def preview(services: Using, who: Reader, dataset_id: AnyDataset) -> Response:
    """Draw the dataset's first 64 images, or a scatter of its first 4,096 points."""
    if dataset_id in catalog.BUILTIN:
        return png.answer(_preview_png(dataset_id, services.settings.datasets_dir))
    return png.answer(pictures.png(pictures.preview_HWC(_images(services, who, dataset_id))))


@router.get("/{dataset_id}/mean.png", response_class=Response, responses=PNG)
def mean(services: Using, who: Reader, dataset_id: DatasetId) -> Response:
    """Draw the mean of all images."""
    path = _ready(services, who, dataset_id).path
    assert path is not None
    with _open(services, path, importing.MEAN) as file:
        average = np.load(io.BytesIO(file.read()), allow_pickle=False)
    return png.answer(pictures.png(average.transpose(1, 2, 0)))


@router.get("/{dataset_id}/images/{number}.png", response_class=Response, responses=PNG)
def image(
    services: Using, who: Reader, dataset_id: AnyDataset, number: Annotated[int, PathParameter(ge=0, le=10**12)]
) -> Response:
    """Show one image: those to train on first, then the holdout."""
    facts = _facts(services, who, dataset_id)
    if facts.holds_points:
        raise not_found(f"dataset {dataset_id} holds points, not images")
    if number >= facts.images + facts.holdout_images:
        raise not_found(f"dataset {dataset_id} has {facts.images + facts.holdout_images:,} images")
    split: data.Split = "train" if number < facts.images else "holdout"
    found = _images(services, who, dataset_id, split=split)
    chosen = np.asarray(found.images_NCHW[number if split == "train" else number - facts.images])
    return png.answer(pictures.png(chosen.transpose(1, 2, 0).astype(np.uint8, copy=False)))


def _facts(services: Services, who: Principal, dataset_id: str) -> DatasetFacts:
    if dataset_id in catalog.BUILTIN:
        return catalog.BUILTIN[dataset_id].facts
    return DatasetFacts.model_validate(_ready(services, who, dataset_id).facts)


@cache
def _preview_png(name: str, folder: Path) -> bytes:
    """Draw a preview, once: the built-in datasets do not change. Raises Problem."""
    return pictures.png(pictures.preview_HWC(_builtin(name, folder, "train")))


def _builtin(name: str, folder: Path, split: data.Split) -> ImageData:
    """Return the images of a built-in dataset. Raises Problem."""
    try:
        # Many requests at once would each load the images, up to 140 MB.
        with _LOADING:
            return _loaded(name, folder, split)
    except data.DatasetError as error:
        raise Problem(HTTPStatus.CONFLICT, str(error)) from error


_LOADING = Lock()


@lru_cache(maxsize=1)
def _loaded(name: str, folder: Path, split: data.Split) -> ImageData:
    """Load the images of a built-in dataset; the last ones are kept. Raises data.DatasetError."""
    return data.BUILTIN[name](folder=folder, split=split)


def _ready(services: Services, who: Principal, dataset_id: str) -> tables.Dataset:
    """Return a dataset that was imported. Raises NotFound, Conflict."""
    with services.database.read() as session:
        row = collection.get(session, dataset_id, who)
    if row.digest is None:
        raise Conflict(f"dataset {dataset_id} is {datasets.status(row)}")
    return row


def _images(services: Services, who: Principal, dataset_id: str, *, split: data.Split = "train") -> ImageData:
    """Return the images of a dataset. Raises NotFound, Conflict, Problem."""
    if dataset_id in catalog.BUILTIN:
        return _builtin(dataset_id, services.settings.datasets_dir, split)
    path = _ready(services, who, dataset_id).path
    assert path is not None
    try:
        return mapped.load(services.artifacts.local_copy(path), split=split)
    except (data.DatasetError, FileNotFoundError) as error:
        raise Conflict(f"the files of dataset {dataset_id} are damaged: {error}") from error


def _open(services: Services, path: str, name: str) -> BinaryIO:
    try:
        return services.artifacts.open(path, name)
    except FileNotFoundError as error:
        raise NotFound("the dataset has just been deleted") from error
