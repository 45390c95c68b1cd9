"""Errors: each leaves the API as RFC 9457 problem+json. The store's errors get their status codes here."""

from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.routing import Match, Mount

from models.specs import TrainingSpec
from store import database
from store.errors import Conflict, IdempotencyMismatch, NotFound, StorageFull

log = structlog.get_logger()
MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 5
METHODS = ("DELETE", "GET", "PATCH", "POST", "PUT")


class FieldError(BaseModel):
    pointer: str
    """A JSON pointer into the body, or `query/<name>`, `path/<name>`, `header/<name>`."""
    detail: str


class ProblemDetails(BaseModel):
    """RFC 9457."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[FieldError] | None = None


class Problem(Exception):
    """An error that a route raises and that becomes its response."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = errors
        self.headers = dict(headers or {})

    def response(self) -> Response:
        body: dict[str, Any] = {
            "type": "about:blank",
            "title": self.status.phrase,
            "status": self.status.value,
            "detail": self.detail,
        }
        if self.errors:
            body["errors"] = [error.model_dump() for error in self.errors]
        # The detail may quote a client's lone surrogates, which have no encoding.
        content = orjson.dumps(_encodable(body))
        return Response(content, status_code=self.status, headers=self.headers, media_type=MEDIA_TYPE)


def not_found(detail: str) -> Problem:
    """Return a 404."""
    return Problem(HTTPStatus.NOT_FOUND, detail)


def invalid(pointer: str, detail: str) -> Problem:
    """Return a 422 for one field."""
    return Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        f"{pointer}: {detail}",
        errors=[FieldError(pointer=pointer, detail=detail)],
    )


def invalid_spec(error: ValidationError, body: Any, *, at: str = "") -> Problem:
    """Return a 422 for a body that pydantic refused, or for the part of it `at` a pointer."""
    errors = [
        FieldError(pointer=at + _pointer(problem["loc"], body), detail=_detail(problem)) for problem in error.errors()
    ]
    return _invalid(errors)


# The descriptions of error answers in the OpenAPI document.
DESCRIPTIONS = {
    HTTPStatus.BAD_REQUEST: "The body is no JSON, or nested too deep",
    HTTPStatus.UNAUTHORIZED: "No valid API key",
    HTTPStatus.FORBIDDEN: "The key's role does not allow this",
    HTTPStatus.NOT_FOUND: "Not there, or not yours",
    HTTPStatus.CONFLICT: "The state does not allow this",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is too large",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The body is not application/json",
    HTTPStatus.UNPROCESSABLE_ENTITY: "A field is not acceptable; `errors` says which and why",
    HTTPStatus.TOO_MANY_REQUESTS: "Too many bad keys; see Retry-After",
    HTTPStatus.INSUFFICIENT_STORAGE: "The disk is full",
    HTTPStatus.SERVICE_UNAVAILABLE: "The database is away; see Retry-After",
}


BODY = (HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
"""The errors of a route that reads a JSON body."""
REFUSED = (HTTPStatus.FORBIDDEN, HTTPStatus.UNPROCESSABLE_ENTITY)
"""The errors of a route that needs a role and checks its input."""


def documented(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """Describe a route's errors, including those that every route may answer with."""
    always = (HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
    return {
        status.value: {
            "description": DESCRIPTIONS[status],
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}},
        }
        for status in sorted({*statuses, *always})
    }


def install(app: FastAPI) -> None:
    """Make the application answer every expected error. `middleware.RequestMiddleware` answers the unexpected ones."""
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(RequestValidationError, _on_validation)
    app.add_exception_handler(HTTPException, _on_http)
    for error in (NotFound, Conflict, IdempotencyMismatch, StorageFull):
        app.add_exception_handler(error, _on_store)
    app.add_exception_handler(DBAPIError, _on_database)
    app.add_exception_handler(PoolTimeout, _on_database)


def _on_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return error.response()


def _on_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = [
        FieldError(pointer="/".join(str(part) for part in problem["loc"]), detail=_detail(problem))
        for problem in error.errors()
    ]
    return _invalid(errors).response()


def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    headers = dict(error.headers or {})
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(sorted(_allowed(request, known=headers.get("Allow", ""))))
    return Problem(status, str(error.detail), headers=headers).response()


def _allowed(request: Request, *, known: str) -> set[str]:
    """Return the methods of every route with this path. `known`: those of the first one, which Starlette names."""
    methods = {method.strip() for method in known.split(",")} | {
        method
        for method in METHODS
        for route in request.app.routes
        if not isinstance(route, Mount) and route.matches({**request.scope, "method": method})[0] == Match.FULL
    }
    return methods | {"HEAD"} if "GET" in methods else methods


def _on_store(request: Request, error: Exception) -> Response:
    statuses: dict[type[Exception], HTTPStatus] = {
        NotFound: HTTPStatus.NOT_FOUND,
        Conflict: HTTPStatus.CONFLICT,
        IdempotencyMismatch: HTTPStatus.UNPROCESSABLE_ENTITY,
        StorageFull: HTTPStatus.INSUFFICIENT_STORAGE,
    }
    return Problem(statuses[type(error)], str(error)).response()


def _on_database(request: Request, error: Exception) -> Response:
    if not isinstance(error, PoolTimeout) and not database.is_outage(error):
        return unexpected(error, path=request.url.path)
    log.warning("database away", path=request.url.path, error=str(error))
    detail = "the database is away: try again later"
    headers = {"Retry-After": str(RETRY_SECONDS)}
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers=headers).response()


def unexpected(error: Exception, *, path: str) -> Response:
    """Log an error that no handler knows, and return a 500 that reveals nothing about it."""
    log.error("unexpected error", path=path, exc_info=error)
    return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "an unexpected error; the server's log has it").response()


def _invalid(errors: Sequence[FieldError]) -> Problem:
    detail = "; ".join(f"{error.pointer or 'body'}: {error.detail}" for error in errors[:5])
    if len(errors) > 5:
        detail += f"; and {len(errors) - 5} more"
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, errors=errors)


def _detail(problem: Mapping[str, Any]) -> str:
    if problem["type"] == "value_error":
        return str(problem["ctx"]["error"])
    if problem["type"] == "extra_forbidden":
        return "unknown field"
    return str(problem["msg"])


def _pointer(location: Sequence[int | str], body: Any) -> str:
    """Return the place in the client's body: pydantic's location without the tags of unions."""
    pointer, here = "", body
    for part in location:
        if isinstance(here, Mapping) and part not in here and here.get("kind", part) == part and part in _KINDS:
            continue
        pointer += "/" + str(part).replace("~", "~0").replace("/", "~1")
        if isinstance(here, Mapping):
            here = here.get(part)
        elif isinstance(here, list) and isinstance(part, int) and part < len(here):
            here = here[part]
        else:
            here = None
    return pointer


def _union_tags(schema: Any) -> Iterator[str]:
    if isinstance(schema, Mapping):
        yield from schema.get("discriminator", {}).get("mapping", {})
        for item in schema.values():
            yield from _union_tags(item)
    elif isinstance(schema, list):
        for item in schema:
            yield from _union_tags(item)


_KINDS = frozenset(_union_tags(TrainingSpec.model_json_schema()))


def _encodable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {key: _encodable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_encodable(item) for item in value]
    return value
