"""Routes of pages: they check who may see a page, and show errors as pages."""

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import urlencode

import orjson
from fastapi import Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from api.dashboard import rendering
from api.http.access import Principal, Using, identify
from api.http.errors import Problem
from store.errors import NotFound

FAULTS = (Problem, NotFound, RequestValidationError, DBAPIError, PoolTimeout)


class SignInNeeded(Exception):
    """Nobody is signed in: the browser is sent to the login."""


class PageRoute(APIRoute):
    """Turns a fault into a page. Status, text and headers are those that the API's own handler chooses."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except SignInNeeded:
                return RedirectResponse(f"/login?{urlencode({'next': _here(request)})}", status_code=303)
            except FAULTS as error:
                return _page(request, error)

        return answer


def _viewer(request: Request, services: Using) -> Principal:
    """Return the principal that is signed in. Raises SignInNeeded, and Problem 403 and 429."""
    found = identify(request, services)
    if found is None:
        raise SignInNeeded
    return found


Viewer = Annotated[Principal, Depends(_viewer)]


def _here(request: Request) -> str:
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def _page(request: Request, error: Exception) -> Response:
    handlers = request.app.exception_handlers
    handler = next(handlers[kind] for kind in type(error).__mro__ if kind in handlers)
    problem: Response = handler(request, error)
    told = orjson.loads(bytes(problem.body))
    headers = {name: problem.headers[name] for name in ("Retry-After",) if name in problem.headers}
    context = {"title": told["title"], "detail": told["detail"]}
    return rendering.page(
        request, "error.html", viewer=None, context=context, status=HTTPStatus(problem.status_code), headers=headers
    )
