"""The dashboard: server-rendered pages, kept up to date by small scripts."""

from fastapi import APIRouter

from api.dashboard import assets, datasets_page, job_page, jobs_page, login
from api.dashboard.assets import static_files

__all__ = ["router", "static_files"]

router = APIRouter(include_in_schema=False)
for part in (assets, login, jobs_page, job_page, datasets_page):
    router.include_router(part.router)
