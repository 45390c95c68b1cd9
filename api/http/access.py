"""Access: who asks, by an API key in the Authorization header or by a browser's session cookie."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from api.http.errors import Problem
from api.services import Services
from store import keys, tables

COOKIE = "saddle_session"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

# For the OpenAPI document. `principal` reads the header itself, so that every fault gets the same answer.
_scheme = HTTPBearer(auto_error=False, description="An API key: `Authorization: Bearer sk_…`")


@dataclass(frozen=True)
class Principal:
    """The tenant and the role that a request acts with."""

    tenant: str
    role: str

    def may(self, role: str) -> bool:
        """Return whether this role includes another."""
        return keys.ROLES.index(self.role) >= keys.ROLES.index(role)


@dataclass
class FailureLimiter:
    """Counts bad keys by client address. An address with too many is refused for a while."""

    limit: int = 30
    window_seconds: float = 60.0
    _failures: OrderedDict[str, list[float]] = field(default_factory=OrderedDict)

    def check(self, address: str) -> None:
        """Raise Problem 429 for an address with too many bad keys."""
        recent = self._recent(address)
        if len(recent) >= self.limit:
            wait = max(1, round(recent[0] + self.window_seconds - time.monotonic()))
            detail = f"{len(recent)} bad keys within {self.window_seconds:.0f} s: wait {wait} s"
            raise Problem(HTTPStatus.TOO_MANY_REQUESTS, detail, headers={"Retry-After": str(wait)})

    def note(self, address: str) -> None:
        """Count a bad key."""
        self._failures[address] = [*self._recent(address), time.monotonic()]
        self._failures.move_to_end(address)
        while len(self._failures) > 10_000:
            self._failures.popitem(last=False)

    def _recent(self, address: str) -> list[float]:
        since = time.monotonic() - self.window_seconds
        return [at for at in self._failures.get(address, []) if at > since]


def services(request: Request) -> Services:
    """Return the services that the application was made with."""
    found: Services = request.app.state.services
    return found


def principal(
    request: Request, services: Annotated[Services, Depends(services)], _: Annotated[object, Depends(_scheme)]
) -> Principal:
    """Return who asks.

    Raises Problem: 401 without a valid key, 429 after too many bad ones, 403 for a cross-site use of a cookie.
    """
    found = identify(request, services)
    if found is None:
        detail = "send a valid API key: Authorization: Bearer sk_…"
        raise Problem(HTTPStatus.UNAUTHORIZED, detail, headers={"WWW-Authenticate": "Bearer"})
    return found


def identify(request: Request, services: Services) -> Principal | None:
    """Return who asks, or None without a valid key. Raises Problem 429 and 403 as `principal` does."""
    if services.settings.auth == "none":
        refuse_cross_site(request)
        return Principal(tenant=keys.DEFAULT_TENANT, role="admin")
    limiter: FailureLimiter = request.app.state.failures
    address = request.client.host if request.client else "unknown"
    secret = _bearer(request)
    cookie = request.cookies.get(COOKIE)
    if secret is None and cookie is None:
        return None
    limiter.check(address)
    with services.database.read() as session:
        row: tables.ApiKey | None
        if secret is not None:
            row = keys.find(session, secret=secret)
        else:
            refuse_cross_site(request)
            row = keys.find_session(session, token=cookie or "")
    if row is None:
        if secret is not None:
            limiter.note(address)
        return None
    return Principal(tenant=row.tenant, role=row.role)


def refuse_cross_site(request: Request) -> None:
    """Raise Problem 403 for a change that another site asks for: a browser sends its cookie with every form."""
    if request.method in SAFE_METHODS:
        return
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    foreign_origin = origin is not None and urlsplit(origin).netloc != request.headers.get("host")
    if site not in (None, "same-origin", "none") or foreign_origin:
        raise Problem(HTTPStatus.FORBIDDEN, "this request came from another site")


def _bearer(request: Request) -> str | None:
    header = request.headers.get("authorization")
    if header is None:
        return None
    scheme, _, secret = header.partition(" ")
    # A malformed header counts as a bad key, not as an absent one: the cookie must not stand in for it.
    return secret.strip() if scheme.lower() == "bearer" else ""


def _requiring(role: str) -> Callable[[Principal], Principal]:
    def check(who: Annotated[Principal, Depends(principal)]) -> Principal:
        if not who.may(role):
            raise Problem(HTTPStatus.FORBIDDEN, f"this needs a key with the role {role}; yours is {who.role}")
        return who

    return check


Using = Annotated[Services, Depends(services)]
Reader = Annotated[Principal, Depends(_requiring("read"))]
Writer = Annotated[Principal, Depends(_requiring("write"))]
Admin = Annotated[Principal, Depends(_requiring("admin"))]
