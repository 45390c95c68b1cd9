"""The FastAPI application, from its services."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.staticfiles import StaticFiles
from starlette.responses import HTMLResponse

from api import (
    checkpoints,
    control,
    dashboard,
    datasets,
    errors,
    events,
    forks,
    health,
    jobs,
    keys,
    metrics,
    openapi,
    presets,
    samples,
)
from api.access import FailureLimiter
from api.live import Hub
from api.middleware import Around
from api.services import Services

DESCRIPTION = "Adversarial training that stays in the saddle: post a job, watch it train, fetch samples."
ROUTERS = tuple(
    resource.router
    for resource in (
        jobs,
        control,
        forks,
        metrics,
        events,
        checkpoints,
        samples,
        presets,
        datasets,
        keys,
        health,
        dashboard,
    )
)
DOCS_FILES = files("fastapi_offline") / "static"


def create_app(services: Services) -> FastAPI:
    """Serves with these services; closes none of them."""
    telemetry = health.Telemetry(services)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.hub = Hub(services.settings.redis)
        reader = asyncio.create_task(app.state.hub.run())
        yield
        reader.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reader
        await app.state.hub.close()

    app = FastAPI(
        title="Saddle",
        version=_version(),
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
    )
    app.state.services = services
    app.state.failures = FailureLimiter()
    app.state.telemetry = telemetry
    for router in ROUTERS:
        app.include_router(router)
    app.state.routes = [route for router in ROUTERS for route in router.routes]
    app.mount("/docs-files", StaticFiles(directory=str(DOCS_FILES)), name="docs-files")
    app.mount("/static", dashboard.static_files(), name="static")
    app.add_api_route("/docs", _docs, include_in_schema=False)
    app.add_middleware(Around, telemetry=telemetry)
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
