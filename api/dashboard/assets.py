"""Assets: the dashboard's own files, and plotly.js from its wheel. Pages load nothing from another host."""

import functools
import gzip
from importlib.metadata import version
from importlib.resources import files
from os import PathLike, stat_result
from pathlib import Path

from fastapi import APIRouter, Request, Response
from fastapi.staticfiles import StaticFiles
from starlette.types import Scope

router = APIRouter()
FOLDER = Path(__file__).parent / "static"
PLOTLY_URL = f"/assets/plotly-{version('plotly')}.min.js"
"""The URL names the version, so a browser may cache the file for good."""


class Revalidated(StaticFiles):
    """Files that a browser asks for each time, so that after an upgrade no page mixes old and new scripts."""

    def file_response(
        self, full_path: str | PathLike[str], stat_result: stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers["Cache-Control"] = "no-cache"
        return response


def static_files() -> StaticFiles:
    return Revalidated(directory=FOLDER)


@router.get(PLOTLY_URL)
def plotly(request: Request) -> Response:
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding"}
    content = _plotly()
    if "gzip" in request.headers.get("accept-encoding", ""):
        content, headers["Content-Encoding"] = _plotly_gzip(), "gzip"
    return Response(content, media_type="text/javascript", headers=headers)


@functools.cache
def _plotly() -> bytes:
    return (files("plotly") / "package_data" / "plotly.min.js").read_bytes()


@functools.cache
def _plotly_gzip() -> bytes:
    return gzip.compress(_plotly(), compresslevel=6, mtime=0)
