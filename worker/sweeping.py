"""Sweeping: removes the files that no row stands for.

A process that is killed between a folder and its row, or between the loss of a row and the folder's removal, leaves one
behind. A row is written right after its folder: what has been there for long without one never gets one.
"""

import time
from pathlib import Path

import structlog

from store import checkpoints
from store.artifacts import Artifacts
from store.database import Database

log = structlog.get_logger()


def sweep(database: Database, artifacts: Artifacts, *, orphan_seconds: float) -> list[str]:
    """One round; what was removed. Raises DBAPIError while the database is away."""
    # The disk first: a folder whose row comes in between is too young.
    found = [path for path in _folders(artifacts.root) if _age_seconds(path) > orphan_seconds]
    if not found:
        return []
    with database.read() as session:
        known = checkpoints.paths(session)
    orphans = [str(path.relative_to(artifacts.root)) for path in found]
    removed = [orphan for orphan in orphans if orphan not in known]
    for orphan in removed:
        artifacts.delete(orphan)
        log.info("removed what no row stands for", path=orphan)
    return removed


def _folders(root: Path) -> list[Path]:
    """Of checkpoints: finished, under way and half removed."""
    return sorted(root.glob("jobs/*/checkpoints/*")) + sorted(root.glob("jobs/.*.doomed"))


def _age_seconds(path: Path) -> float:
    """Since its last change; 0 for what has gone meanwhile."""
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
