"""The dashboard: server-rendered pages."""

from fastapi import APIRouter
from fastapi.staticfiles import StaticFiles

router = APIRouter()


def static_files() -> StaticFiles:
    return StaticFiles(directory="/tmp")
