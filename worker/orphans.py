"""Orphans: artifacts without a row, left behind by processes that were killed.

A process writes a folder before its row, and deletes a row before its folder: killed in between, it leaves an orphan. A
row follows its folder at once, so an old folder without a row never gets one.
"""

from fnmatch import fnmatchcase

import structlog

from store import checkpoints, datasets, evaluations, timeline
from store.artifacts import Artifacts, Listed
from store.database import Database

log = structlog.get_logger()
PREFIXES = ("datasets", "jobs")
WITH_ROWS = (
    "datasets/*/images-*",
    "datasets/*/upload",
    "jobs/*/checkpoints/*",
    "jobs/*/timeline/*",
    "jobs/*/nearest-*",
)
"""The artifacts that have rows. Others are left alone."""


def sweep(database: Database, artifacts: Artifacts, *, orphan_seconds: float) -> list[str]:
    """Remove and return the orphans older than `orphan_seconds`. Raises DBAPIError while the database is away."""
    # The disk is read first: a folder whose row is written meanwhile is too young.
    listed = (one for prefix in PREFIXES for one in artifacts.list(prefix))
    found = [one.key for one in listed if one.age_seconds > orphan_seconds and _needs_a_row(one)]
    if not found:
        return []
    with database.read() as session:
        known = set().union(*(part.paths(session) for part in (checkpoints, datasets, evaluations, timeline)))
    removed = [key for key in found if key not in known]
    for key in removed:
        artifacts.delete(key)
        log.info("removed an orphan", key=key)
    return removed


def _needs_a_row(one: Listed) -> bool:
    return not one.whole or any(fnmatchcase(one.key, pattern) for pattern in WITH_ROWS)
