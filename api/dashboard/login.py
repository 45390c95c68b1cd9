"""/login and /logout: a browser's session in exchange for an API key."""

import re
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from api.dashboard import rendering
from api.dashboard.forms import Form
from api.dashboard.routing import PageRoute
from api.http.access import COOKIE, FailureLimiter, Using, identify, refuse_cross_site
from api.services import Services
from store import keys

router = APIRouter(route_class=PageRoute)
HOME = "/"
# No second slash or backslash, which would name another host, and no control character, which a browser would drop.
LOCAL_PATH = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*")


@router.get("/login")
def show(
    request: Request, services: Using, next_: Annotated[str, Query(alias="next", max_length=2000)] = HOME
) -> Response:
    if identify(request, services) is not None:
        return _go(_local(next_))
    return _form(request, next_=_local(next_))


@router.post("/login")
def log_in(request: Request, services: Using, form: Form) -> Response:
    refuse_cross_site(request)
    next_ = _local(form.get("next", HOME))
    if services.settings.auth == "none":
        return _go(next_)
    token = _exchange(request, services, secret=form.get("key", "").strip())
    if token is None:
        return _form(request, next_=next_, wrong=True)
    response = _go(next_)
    response.set_cookie(
        COOKIE,
        token,
        max_age=keys.SESSION_SECONDS,
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return response


@router.post("/logout")
def log_out(request: Request, services: Using) -> Response:
    refuse_cross_site(request)
    token = request.cookies.get(COOKIE)
    if token is not None:
        with services.database.write() as session:
            keys.log_out(session, token=token)
    response = _go("/login")
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
    return response


def _exchange(request: Request, services: Services, *, secret: str) -> str | None:
    """Return a new session's token, or None for a wrong key. Raises Problem 429."""
    limiter: FailureLimiter = request.app.state.failures
    address = request.client.host if request.client else "unknown"
    limiter.check(address)
    with services.database.read() as session:
        key = keys.find(session, secret=secret)
    if key is None:
        limiter.note(address)
        return None
    with services.database.write() as session:
        return keys.log_in(session, key=key)


def _form(request: Request, *, next_: str, wrong: bool = False) -> Response:
    status = HTTPStatus.UNAUTHORIZED if wrong else HTTPStatus.OK
    return rendering.page(request, "login.html", viewer=None, context={"next": next_, "wrong": wrong}, status=status)


def _local(path: str) -> str:
    """Return the path if it stays on this host, else the home page."""
    return path if LOCAL_PATH.fullmatch(path) else HOME


def _go(path: str) -> RedirectResponse:
    return RedirectResponse(path, status_code=HTTPStatus.SEE_OTHER)
