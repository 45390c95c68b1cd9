"""/v1/keys: who may use this installation. For admins."""

from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from api import openapi, pages
from api.access import Admin, Using
from api.body import JsonBody, json_body
from api.errors import documented, invalid_spec
from api.jobs import BODY, REFUSED
from api.schemas import KeyOut, NewKeyOut, Page
from models.specs.fields import Name
from store import ids, keys

router = APIRouter(prefix="/v1/keys", tags=["keys"])
PATTERN = f"^key_{ids.PATTERN}$"


class NewKey(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True)

    name: Name
    """Whose, or what for."""
    role: Literal["read", "write", "admin"] = "write"
    tenant: str = Field(default=keys.DEFAULT_TENANT, pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")
    """Jobs are seen within one tenant only."""


@router.post(
    "",
    status_code=201,
    response_model=NewKeyOut,
    responses=documented(*BODY, *REFUSED),
    openapi_extra=openapi.body_of(NewKey, example={"name": "ci", "role": "write"}),
)
def create(services: Using, who: Admin, body: Annotated[JsonBody, Depends(json_body)]) -> NewKeyOut:
    """A new key. Its secret is shown this once."""
    try:
        new = NewKey.model_validate(body.data)
    except ValidationError as error:
        raise invalid_spec(error, body.data) from error
    with services.database.write() as session:
        row, secret = keys.create(session, tenant=new.tenant, name=new.name, role=new.role)
    return NewKeyOut(key=secret, **KeyOut.of(row).model_dump())


@router.get(
    "", response_model=Page[KeyOut], responses=documented(HTTPStatus.FORBIDDEN, HTTPStatus.UNPROCESSABLE_ENTITY)
)
def index(
    services: Using,
    who: Admin,
    limit: pages.Limit = 20,
    after: Annotated[str | None, Query(pattern=PATTERN, description="The `next` of the page before")] = None,
) -> Page[KeyOut]:
    """Newest first, revoked ones included."""
    with services.database.read() as session:
        rows, more = keys.page(session, limit=limit, after=after)
    return Page(data=[KeyOut.of(row) for row in rows], has_more=more, next=rows[-1].id if more else None)


@router.delete("/{key_id}", status_code=204, responses=documented(*REFUSED, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT))
def revoke(services: Using, who: Admin, key_id: Annotated[str, Path(pattern=PATTERN)]) -> Response:
    """Revoke a key, at once and for good. The last admin key stays."""
    with services.database.write() as session:
        keys.revoke(session, key_id=key_id)
    return Response(status_code=204)
