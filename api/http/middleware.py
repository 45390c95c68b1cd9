"""Middleware of every request: logs it without its query string, counts it, and adds headers that protect a browser."""

import time
from http import HTTPStatus

import structlog
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http import errors
from api.http.telemetry import Telemetry

log = structlog.get_logger()
# plotly.js sets style attributes; it needs no inline script.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
DOCS_POLICY = POLICY.replace("script-src 'self'", "script-src 'self' 'unsafe-inline'")
QUIET = frozenset({"/healthz", "/readyz", "/metrics"})


class RequestMiddleware:
    """Logs and counts each response once, including the answer to an unexpected error."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry) -> None:
        self.app = app
        self.telemetry = telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        started = False

        async def send_on(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Referrer-Policy"] = "same-origin"
                headers["Content-Security-Policy"] = DOCS_POLICY if scope["path"] == "/docs" else POLICY
                self._note(scope, status=message["status"], seconds=time.perf_counter() - began)
            await send(message)

        try:
            await self.app(scope, receive, send_on)
        except ClientDisconnect:
            log.info("client went away", method=scope["method"], path=scope["path"])
        except Exception as error:
            # Starlette would answer it outside of this middleware: uncounted, and without the headers.
            response = errors.unexpected(error, path=scope["path"])
            if started:
                raise  # the server must cut the connection, or the client takes half an answer for a whole one
            await response(scope, receive, send_on)

    def _note(self, scope: Scope, *, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "other")
        self.telemetry.requests.labels(scope["method"], route, status).inc()
        self.telemetry.seconds.labels(route).observe(seconds)
        if scope["path"] not in QUIET or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            # Never the query string: somebody may have put a key there.
            log.info(
                "request", method=scope["method"], path=scope["path"], status=int(status), ms=round(seconds * 1000, 1)
            )
