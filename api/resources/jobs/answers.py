"""A job as the API answers it."""

from typing import Any

from pydantic import model_validator

from api.http.answers import Answer, Instant
from models.specs import TrainingSpec
from models.specs.stored import StoredSpec
from store import tables


class ReasonOut(Answer):
    code: str
    message: str


class Progress(Answer):
    images_seen: int
    images_total: int | None
    fraction: float
    """0 to 1 of the budget, by images or by seconds, whichever is further."""
    images_per_second: float | None
    eta_seconds: float | None


class Origin(Answer):
    """Where a fork comes from; either may have been deleted since."""

    job: str
    checkpoint: str


class JobOut(Answer):
    id: str
    name: str | None
    status: str
    reason: ReasonOut | None
    spec: StoredSpec
    progress: Progress
    attempt: int
    crashes: int
    latest_checkpoint: str | None
    best_checkpoint: str | None
    quality: dict[str, float] | None
    forked_from: Origin | None
    created_at: Instant
    started_at: Instant | None
    ended_at: Instant | None
    metadata: dict[str, str]

    @model_validator(mode="before")
    @classmethod
    def _group(cls, job: Any) -> Any:
        """Group a row's columns as the answer does."""
        if not isinstance(job, tables.Job):
            return job
        grouped = {
            "reason": _reason(job),
            "progress": _progress(job),
            "forked_from": _origin(job),
            "metadata": job.labels,
        }
        return grouped | {name: getattr(job, name) for name in cls.model_fields.keys() - grouped.keys()}


class Parameters(Answer):
    generator: int
    discriminator: int


class DryRun(Answer):
    """The resolved spec and what it will need; nothing is stored."""

    spec: TrainingSpec
    parameters: Parameters
    estimated_seconds: float | None
    """From the speed of earlier jobs on this installation; null before the first."""
    estimated_memory_bytes: int
    warnings: list[str]


def _reason(job: tables.Job) -> ReasonOut | None:
    return ReasonOut(code=job.reason_code, message=job.reason_message or "") if job.reason_code else None


def _progress(job: tables.Job) -> Progress:
    shares, waits = [0.0], []
    if job.images_total:
        shares.append(job.images_seen / job.images_total)
        if job.images_per_second:
            waits.append(max(job.images_total - job.images_seen, 0) / job.images_per_second)
    if job.seconds_total:
        shares.append(job.seconds_trained / job.seconds_total)
        waits.append(max(job.seconds_total - job.seconds_trained, 0.0))
    return Progress(
        images_seen=job.images_seen,
        images_total=job.images_total,
        fraction=1.0 if job.status == "succeeded" else min(max(shares), 1.0),
        images_per_second=job.images_per_second,
        eta_seconds=round(min(waits), 1) if waits and job.status == "running" else None,
    )


def _origin(job: tables.Job) -> Origin | None:
    if job.forked_from_job is None or job.forked_from_checkpoint is None:
        return None
    return Origin(job=job.forked_from_job, checkpoint=job.forked_from_checkpoint)
