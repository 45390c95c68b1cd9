"""The FastAPI application, from its services."""

import contextlib
from collections.abc import AsyncIterator
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.staticfiles import StaticFiles
from starlette.responses import HTMLResponse

from api import dashboard
from api.http import errors, openapi
from api.http.access import FailureLimiter
from api.http.head import Head
from api.http.middleware import RequestMiddleware
from api.http.telemetry import Telemetry
from api.live import Hub
from api.resources import (
    checkpoints,
    comparisons,
    evaluations,
    events,
    figures,
    health,
    keys,
    metrics,
    presets,
    samples,
    timeline,
    workers,
)
from api.resources.datasets import collection as dataset_collection
from api.resources.datasets import contents, importing
from api.resources.jobs import collection, control, forks
from api.services import Services

DESCRIPTION = "Adversarial training that stays in the saddle: post a job, watch it train, fetch samples."
ROUTERS = tuple(
    resource.router
    for resource in (
        collection,
        control,
        forks,
        metrics,
        events,
        checkpoints,
        samples,
        timeline,
        presets,
        dataset_collection,
        importing,
        contents,
        evaluations,
        comparisons,
        figures,
        keys,
        health,
        workers,
        dashboard,
    )
)
DOCS_FILES = files("fastapi_offline") / "static"


def create_app(services: Services) -> FastAPI:
    """Return an application that uses these services and closes none of them."""
    telemetry = Telemetry(services)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.hub = Hub(services.settings.redis, encode=events.frame)
        app.state.hub.start()
        yield
        await app.state.hub.close()

    app = FastAPI(
        title="Saddle",
        version=_version(),
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        redirect_slashes=False,  # the redirect's address would be made from the Host header, which anybody may choose
    )
    app.state.services = services
    app.state.failures = FailureLimiter()
    app.state.telemetry = telemetry
    for router in ROUTERS:
        app.include_router(router)
    app.mount("/docs-files", StaticFiles(directory=str(DOCS_FILES)), name="docs-files")
    app.mount("/static", dashboard.static_files(), name="static")
    app.add_api_route("/docs", _docs, include_in_schema=False)
    app.add_middleware(Head)
    app.add_middleware(RequestMiddleware, telemetry=telemetry)  # around all others
    errors.install(app)
    openapi.install(app)
    return app


def _docs() -> HTMLResponse:
    return get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="Saddle API",
        swagger_js_url="/docs-files/swagger-ui-bundle.js",
        swagger_css_url="/docs-files/swagger-ui.css",
        swagger_favicon_url="/docs-files/favicon.png",
    )


def _version() -> str:
    try:
        return version("saddle-gan")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "0.0.0"
