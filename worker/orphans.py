"""Orphans: artifacts without a row, left behind by processes that were killed.

A process writes a folder before its row, and deletes a row before its folder: killed in between, it leaves an orphan. A
row follows its folder at once, so an old folder without a row never gets one.
"""

import time
from pathlib import Path

import structlog

from store import checkpoints
from store.artifacts import Artifacts
from store.database import Database

log = structlog.get_logger()


def sweep(database: Database, artifacts: Artifacts, *, orphan_seconds: float) -> list[str]:
    """Remove and return the orphans older than `orphan_seconds`. Raises DBAPIError while the database is away."""
    # The disk is read first: a folder whose row is written meanwhile is too young.
    found = [path for path in _folders(artifacts.root) if _age_seconds(path) > orphan_seconds]
    if not found:
        return []
    with database.read() as session:
        known = checkpoints.paths(session)
    orphans = [str(path.relative_to(artifacts.root)) for path in found]
    removed = [orphan for orphan in orphans if orphan not in known]
    for orphan in removed:
        artifacts.delete(orphan)
        log.info("removed an orphan", path=orphan)
    return removed


def _folders(root: Path) -> list[Path]:
    """Return the folders of checkpoints: finished, partly written and partly removed."""
    return sorted(root.glob("jobs/*/checkpoints/*")) + sorted(root.glob("jobs/.*.doomed"))


def _age_seconds(path: Path) -> float:
    """Return the seconds since the last change; 0 if it has gone meanwhile."""
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
