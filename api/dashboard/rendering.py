"""Renders templates to pages. Everything that goes into a template is escaped."""

from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path

import jinja2
from fastapi import Request
from fastapi.responses import HTMLResponse

from api.dashboard import formats, highlighting
from api.dashboard.assets import PLOTLY_URL
from api.http.access import Principal
from store import states

FOLDER = Path(__file__).parent / "templates"


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for filter_ in (
        formats.ago,
        formats.count,
        formats.figure,
        formats.duration,
        formats.exact,
        formats.heading,
        formats.percent,
        formats.rate,
        formats.significant,
        formats.size,
        highlighting.json_html,
    ):
        environment.filters[filter_.__name__] = filter_
    environment.globals.update(plotly_url=PLOTLY_URL, ended=states.ENDED)
    return environment


_templates = _environment()


def page(
    request: Request,
    template: str,
    *,
    viewer: Principal | None,
    context: Mapping[str, object],
    status: HTTPStatus = HTTPStatus.OK,
    headers: Mapping[str, str] | None = None,
) -> HTMLResponse:
    """Render a template. `viewer`: the principal that is signed in, if any."""
    has_sessions = request.app.state.services.settings.auth == "keys"
    html = _templates.get_template(template).render(
        **context, viewer=viewer, can_sign_out=viewer is not None and has_sessions
    )
    # Not stored: after signing out, "back" shows nothing.
    return HTMLResponse(html, status_code=status, headers={"Cache-Control": "no-store", **(headers or {})})
