"""What the API answers, as pydantic models, made from the store's rows."""

from datetime import UTC, datetime
from typing import Any, Generic, Self, TypeVar

from pydantic import BaseModel, ConfigDict

from models.specs import TrainingSpec, stored
from store import tables

T = TypeVar("T")


class Answer(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class Page(Answer, Generic[T]):
    """A part of a list; `next` goes into `after` for the next part."""

    data: list[T]
    has_more: bool
    next: str | None


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

    @classmethod
    def of(cls, job: tables.Job) -> Self:
        shares, waits = [0.0], []
        if job.images_total:
            shares.append(job.images_seen / job.images_total)
            if job.images_per_second:
                waits.append(max(job.images_total - job.images_seen, 0) / job.images_per_second)
        if job.seconds_total:
            shares.append(job.seconds_trained / job.seconds_total)
            waits.append(max(job.seconds_total - job.seconds_trained, 0.0))
        return cls(
            images_seen=job.images_seen,
            images_total=job.images_total,
            fraction=1.0 if job.status == "succeeded" else min(max(shares), 1.0),
            images_per_second=job.images_per_second,
            eta_seconds=round(min(waits), 1) if waits and job.status == "running" else None,
        )


class Origin(Answer):
    """Where a fork comes from; either may have been deleted since."""

    job: str
    checkpoint: str


class JobOut(Answer):
    id: str
    name: str | None
    status: str
    reason: ReasonOut | None
    spec: TrainingSpec
    progress: Progress
    attempt: int
    crashes: int
    latest_checkpoint: str | None
    best_checkpoint: str | None
    quality: dict[str, float] | None
    forked_from: Origin | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    metadata: dict[str, str]

    @classmethod
    def of(cls, job: tables.Job) -> Self:
        return cls(
            id=job.id,
            name=job.name,
            status=job.status,
            reason=ReasonOut(code=job.reason_code, message=job.reason_message or "") if job.reason_code else None,
            spec=stored.read(job.spec),
            progress=Progress.of(job),
            attempt=job.attempt,
            crashes=job.crashes,
            latest_checkpoint=job.latest_checkpoint,
            best_checkpoint=job.best_checkpoint,
            quality=job.quality,
            forked_from=_origin(job),
            created_at=instant(job.created_at),
            started_at=instant(job.started_at) if job.started_at else None,
            ended_at=instant(job.ended_at) if job.ended_at else None,
            metadata=job.labels,
        )


def _origin(job: tables.Job) -> Origin | None:
    if job.forked_from_job is None or job.forked_from_checkpoint is None:
        return None
    return Origin(job=job.forked_from_job, checkpoint=job.forked_from_checkpoint)


class Parameters(Answer):
    generator: int
    discriminator: int


class DryRun(Answer):
    """What a spec stands for and what it will need; nothing is stored."""

    spec: TrainingSpec
    parameters: Parameters
    estimated_seconds: float | None
    """From the speed of earlier jobs on this installation; null before the first."""
    estimated_memory_bytes: int
    warnings: list[str]


class EventOut(Answer):
    id: int
    type: str
    at: datetime
    images_seen: int
    data: dict[str, Any]

    @classmethod
    def of(cls, event: tables.Event) -> Self:
        return cls(id=event.id, type=event.type, at=instant(event.at), images_seen=event.images_seen, data=event.data)


class CheckpointOut(Answer):
    id: str
    job_id: str
    attempt: int
    images_seen: int
    size_bytes: int
    quality: dict[str, float] | None
    pinned: bool
    """Kept however many are newer or better."""
    created_at: datetime

    @classmethod
    def of(cls, row: tables.Checkpoint) -> Self:
        return cls(
            id=row.id,
            job_id=row.job_id,
            attempt=row.attempt,
            images_seen=row.images_seen,
            size_bytes=row.size_bytes,
            quality=row.quality,
            pinned=row.pinned,
            created_at=instant(row.created_at),
        )


class MetricsOut(Answer):
    """The training series by column; null where a tick has no such metric."""

    images_seen: list[int]
    series: dict[str, list[float | None]]


class KeyOut(Answer):
    id: str
    tenant: str
    name: str
    role: str
    created_at: datetime
    revoked_at: datetime | None

    @classmethod
    def of(cls, row: tables.ApiKey) -> Self:
        return cls(
            id=row.id,
            tenant=row.tenant,
            name=row.name,
            role=row.role,
            created_at=instant(row.created_at),
            revoked_at=instant(row.revoked_at) if row.revoked_at else None,
        )


class NewKeyOut(KeyOut):
    key: str
    """The secret, shown this once."""


class WorkerOut(Answer):
    id: str
    host: str
    pid: int
    device: str
    job_id: str | None
    started_at: datetime
    seen_at: datetime
    alive: bool


class PresetOut(Answer):
    name: str
    purpose: str
    dataset: str
    spec: TrainingSpec


class DatasetOut(Answer):
    id: str
    title: str
    resolution: int
    channels: int
    images: int
    classes: list[str]
    modes: int | None
    """How many separate modes the metric `modes` counts; null: not known."""


def instant(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
