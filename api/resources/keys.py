"""/v1/keys: who may use this installation. For admins."""

from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from api.http import openapi, pages
from api.http.access import Admin, Using
from api.http.answers import Answer, Instant
from api.http.body import JsonBody, json_body
from api.http.errors import BODY, REFUSED, documented, invalid_spec
from api.http.ids import KeyId
from api.http.pages import Page
from models.specs.fields import Name
from store import keys

router = APIRouter(prefix="/v1/keys", tags=["keys"])


class NewKey(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True)

    name: Name
    """Whose, or what for."""
    role: Literal["read", "write", "admin"] = "write"
    tenant: str = Field(default=keys.DEFAULT_TENANT, pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")
    """Jobs are seen within one tenant only."""


class KeyOut(Answer):
    id: str
    tenant: str
    name: str
    role: str
    created_at: Instant
    revoked_at: Instant | None


class NewKeyOut(KeyOut):
    key: str
    """The secret, shown this once."""


@router.post(
    "",
    status_code=201,
    response_model=NewKeyOut,
    responses=documented(*BODY, *REFUSED),
    openapi_extra=openapi.body_of(NewKey, example={"name": "ci", "role": "write"}),
)
def create(services: Using, who: Admin, body: Annotated[JsonBody, Depends(json_body)]) -> NewKeyOut:
    """Create a key. Its secret is shown this once."""
    try:
        new = NewKey.model_validate(body.data)
    except ValidationError as error:
        raise invalid_spec(error, body.data) from error
    with services.database.write() as session:
        row, secret = keys.create(session, tenant=new.tenant, name=new.name, role=new.role)
    return NewKeyOut(key=secret, **KeyOut.model_validate(row).model_dump())


@router.get(
    "", response_model=Page[KeyOut], responses=documented(HTTPStatus.FORBIDDEN, HTTPStatus.UNPROCESSABLE_ENTITY)
)
def index(
    services: Using,
    who: Admin,
    limit: pages.Limit = 20,
    after: Annotated[str | None, pages.after("key")] = None,
) -> Page[KeyOut]:
    """List the keys, newest first, revoked ones included."""
    with services.database.read() as session:
        rows, more = keys.page(session, limit=limit, after=after)
    return pages.page(KeyOut, rows, more=more)


@router.delete("/{key_id}", status_code=204, responses=documented(*REFUSED, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT))
def revoke(services: Using, who: Admin, key_id: KeyId) -> Response:
    """Revoke a key, at once and for good. The last admin key stays."""
    with services.database.write() as session:
        keys.revoke(session, key_id=key_id)
    return Response(status_code=204)
