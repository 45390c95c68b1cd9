"""A job's saved state: the rows of its checkpoints and their folders."""

from pathlib import Path

from models.checkpoints import checkpoint
from store import checkpoints, database, tables
from store.artifacts import LocalArtifacts
from tests.faults.stack import OUTAGE_SECONDS, Stack


def rows(stack: Stack, job_id: str) -> list[tables.Checkpoint]:
    """Return the job's checkpoints, newest first."""

    def look() -> list[tables.Checkpoint]:
        with stack.database.read() as session:
            return checkpoints.newest_first(session, job_id=job_id)

    return database.retry(look, seconds=OUTAGE_SECONDS)


def artifacts(stack: Stack) -> LocalArtifacts:
    return LocalArtifacts(stack.folder / "artifacts")


def folder(stack: Stack, row: tables.Checkpoint) -> Path:
    return artifacts(stack).local_copy(row.path)


def damaged(stack: Stack, job_id: str) -> list[str]:
    """Return the faults of the checkpoints that have a row. A job that nobody trains must have none."""
    problems = []
    for row in rows(stack, job_id):
        try:
            checkpoint.verify(folder(stack, row))
        except checkpoint.CorruptCheckpoint as error:
            problems.append(str(error))
    return problems


def digests(stack: Stack, job_id: str) -> dict[str, str]:
    """Return the SHA-256 of each file of the newest checkpoint."""
    manifest = checkpoint.verify(folder(stack, rows(stack, job_id)[0]))
    return {name: file.sha256 for name, file in manifest.files.items()}
