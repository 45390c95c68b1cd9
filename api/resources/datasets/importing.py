"""POST /v1/datasets: import a file of pictures."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import TypeAdapter, ValidationError

from api.http import idempotency, openapi, uploads
from api.http.access import Principal, Using, Writer
from api.http.errors import REFUSED, Problem, documented, invalid, invalid_spec
from api.http.idempotency import IdempotencyKey
from api.http.uploads import Upload
from api.resources.datasets import answers
from api.resources.datasets.answers import DatasetOut
from api.services import Services
from models.data import catalog
from models.data.importers import survey
from models.data.importers.errors import SourceRefused
from models.data.importers.limits import Limits
from models.specs.fields import Name
from models.specs.imports import ImportOptions
from store import datasets, ids, tables
from store.datasets import NewDataset
from store.idempotency import Answer

router = APIRouter(prefix="/v1/datasets", tags=["datasets"])

STATUSES: dict[str, HTTPStatus] = {
    "too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "unsupported": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "invalid": HTTPStatus.UNPROCESSABLE_ENTITY,
}
"""The answers to files that cannot be imported."""
UPLOAD_ERRORS = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.CONFLICT,
    HTTPStatus.INSUFFICIENT_STORAGE,
)


async def _received(request: Request, services: Using, who: Writer) -> Upload:
    settings = services.settings
    return await uploads.receive(
        request,
        services.artifacts,
        key=f"datasets/{ids.new('ds')}/upload",
        limit=settings.max_upload_bytes,
        min_free_bytes=settings.min_free_bytes,
    )


@router.post(
    "",
    status_code=202,
    response_model=DatasetOut,
    responses={
        **documented(*REFUSED, *UPLOAD_ERRORS),
        202: {"description": "Accepted: the file is stored and will be imported", "headers": openapi.LOCATION},
    },
    openapi_extra=openapi.form_with_file(ImportOptions),
)
def create(
    services: Using,
    who: Writer,
    upload: Annotated[Upload, Depends(_received)],
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Import a file of pictures: a zip or tar archive, npz, IDX or parquet."""
    try:
        answer, is_new = _create(services, who, upload, idempotency_key)
    except BaseException:
        services.artifacts.delete(upload.key)
        raise
    if not is_new:
        services.artifacts.delete(upload.key)
    return answer


def _create(services: Services, who: Principal, upload: Upload, key: str | None) -> tuple[Response, bool]:
    earlier = idempotency.find(services, who, key=key, fingerprint=upload.fingerprint)
    if earlier is not None:
        return earlier, False
    name, options = _wish(upload.fields)
    path = services.artifacts.local_copy(upload.key) / uploads.FILE
    try:
        looked = survey.look(path, options=options, limits=Limits())
    except SourceRefused as error:
        raise _refused(upload, error) from error
    new = NewDataset(
        id=upload.key.split("/")[1],
        tenant=who.tenant,
        name=name,
        file_name=upload.file_name,
        upload=upload.key,
        upload_bytes=upload.size_bytes,
        options=options.model_dump(mode="json"),
        form=looked.format,
        entries=looked.entries,
        resolution=looked.resolution,
    )
    return idempotency.create(
        services,
        who,
        key=key,
        fingerprint=upload.fingerprint,
        make=lambda session: datasets.create(session, new=new),
        answer=_accepted,
    )


def _accepted(dataset: tables.Dataset) -> Answer:
    location = f"/v1/datasets/{dataset.id}"
    return Answer(status=202, location=location, body=answers.imported(dataset).model_dump_json())


def _wish(fields: dict[str, str]) -> tuple[str, ImportOptions]:
    """Return the name and the options that a form asks for. Raises Problem 422."""
    unknown = sorted(set(fields) - {"name", "options"})
    if unknown:
        raise invalid(f"/{unknown[0]}", "unknown field")
    try:
        name = TypeAdapter(Name).validate_python(fields.get("name", ""))
    except ValidationError as error:
        raise invalid_spec(error, fields, at="/name") from error
    if name in catalog.BUILTIN or name.startswith("ds_"):
        raise invalid("/name", "is the name of a built-in dataset, or looks like an id: choose another")
    try:
        return name, ImportOptions.model_validate_json(fields.get("options") or "{}", strict=True)
    except ValidationError as error:
        raise invalid_spec(error, {}, at="/options") from error


def _refused(upload: Upload, error: SourceRefused) -> Problem:
    status = STATUSES[error.code]
    detail = f"{upload.file_name}: {error}"
    if status == HTTPStatus.UNPROCESSABLE_ENTITY:
        return invalid("/file", detail)
    return Problem(status, detail)
