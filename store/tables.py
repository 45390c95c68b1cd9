"""The tables, made by the migrations in alembic/. Times are seconds since the epoch on the database's clock."""

from typing import Any

from sqlalchemy import JSON, BigInteger, Double, ForeignKey, Index, MetaData, String, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

Json = JSON().with_variant(JSONB(), "postgresql")
NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class Table(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {int: BigInteger, float: Double, dict[str, Any]: Json, list[float]: Json, list[str]: Json}  # noqa: RUF012


class Job(Table):
    """A job. The row is the queue: if the broker loses its hint, the reconciler finds the row and hints again."""

    __tablename__ = "jobs"
    __table_args__ = (
        Index("ix_jobs_tenant_id", "tenant", "id"),
        Index("ix_jobs_status_available_at", "status", "available_at"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64))
    kind: Mapped[str] = mapped_column(String(32), server_default="training")
    """The work that a runner does for the job: one of the worker's kinds."""
    name: Mapped[str | None] = mapped_column(String(100))
    status: Mapped[str] = mapped_column(String(16))
    reason_code: Mapped[str | None] = mapped_column(String(64))
    reason_message: Mapped[str | None] = mapped_column(Text)
    dataset: Mapped[str] = mapped_column(String(100))
    dataset_id: Mapped[str | None] = mapped_column(String(40), index=True)
    """The imported dataset that the job is trained on; null for a built-in one."""
    spec: Mapped[dict[str, Any]]
    labels: Mapped[dict[str, Any]]
    """The client's metadata."""
    keep_latest: Mapped[int]
    keep_best: Mapped[int]
    max_attempts: Mapped[int]
    max_seconds: Mapped[float | None]
    forked_from_job: Mapped[str | None] = mapped_column(String(40))
    forked_from_checkpoint: Mapped[str | None] = mapped_column(String(40))
    """Names, not references: a fork has copies, and may outlive its parent."""

    images_seen: Mapped[int] = mapped_column(default=0)
    images_total: Mapped[int | None]
    seconds_total: Mapped[float | None]
    seconds_trained: Mapped[float] = mapped_column(default=0.0)
    images_per_second: Mapped[float | None]
    quality: Mapped[dict[str, Any] | None]
    latest_checkpoint: Mapped[str | None] = mapped_column(String(40))
    best_checkpoint: Mapped[str | None] = mapped_column(String(40))

    attempt: Mapped[int] = mapped_column(default=0)
    """The fencing token: raised by every claim, carried by every write of a runner."""
    crashes: Mapped[int] = mapped_column(default=0)
    lease_owner: Mapped[str | None] = mapped_column(String(200))
    lease_until: Mapped[float | None]
    held_since: Mapped[float | None]
    seconds_run: Mapped[float] = mapped_column(default=0.0)
    """The seconds of all attempts that have ended since the job was created or last retried."""
    available_at: Mapped[float]
    last_event_id: Mapped[int] = mapped_column(default=0)

    created_at: Mapped[float]
    started_at: Mapped[float | None]
    progress_at: Mapped[float | None]
    ended_at: Mapped[float | None]


class Event(Table):
    """An event of a job. A tick of the training series is an event of type `metrics`."""

    __tablename__ = "events"
    __table_args__ = (UniqueConstraint("job_id", "tick_images"),)

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    type: Mapped[str] = mapped_column(String(16))
    at: Mapped[float]
    images_seen: Mapped[int]
    tick_images: Mapped[int | None]
    """The images seen at a tick; null for other events. A resumed run overwrites its ticks in place."""
    data: Mapped[dict[str, Any]]


class Checkpoint(Table):
    __tablename__ = "checkpoints"
    __table_args__ = (Index("ix_checkpoints_job_id_images_seen", "job_id", "images_seen"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    attempt: Mapped[int]
    images_seen: Mapped[int]
    path: Mapped[str] = mapped_column(String(300))
    """The key of its artifact."""
    size_bytes: Mapped[int]
    quality: Mapped[dict[str, Any] | None]
    rank: Mapped[list[float] | None]
    """Compared from the left to find the best; less is better."""
    pinned: Mapped[bool] = mapped_column(default=False)
    """Whether pruning keeps it, however many are newer or better."""
    created_at: Mapped[float]


class TimelineGrid(Table):
    """A small grid of the same latents, drawn when a job had seen so many images."""

    __tablename__ = "timeline_grids"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    images_seen: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    path: Mapped[str] = mapped_column(String(300))
    """The key of its artifact."""


class Dataset(Table):
    """An imported dataset. Its content is null until the job that imports it has succeeded."""

    __tablename__ = "datasets"
    __table_args__ = (UniqueConstraint("tenant", "name"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(100))
    file_name: Mapped[str] = mapped_column(String(255))
    upload: Mapped[str | None] = mapped_column(String(300))
    """The key of the uploaded file's artifact; null once it has been imported."""
    upload_bytes: Mapped[int]
    options: Mapped[dict[str, Any]]
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"))
    path: Mapped[str | None] = mapped_column(String(300))
    """The key of the images' artifact."""
    size_bytes: Mapped[int | None]
    digest: Mapped[str | None] = mapped_column(String(64))
    facts: Mapped[dict[str, Any] | None]
    class_names: Mapped[list[str] | None]
    created_at: Mapped[float]

    job: Mapped[Job] = relationship(lazy="joined", innerjoin=True)


class Evaluation(Table):
    """An evaluation of a checkpoint. Its figures are null until the job that makes it has succeeded."""

    __tablename__ = "evaluations"
    __table_args__ = (Index("ix_evaluations_tenant_subject_job", "tenant", "subject_job"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64))
    subject_job: Mapped[str] = mapped_column(String(40))
    subject_checkpoint: Mapped[str] = mapped_column(String(40))
    """Names, not references: figures outlive what they were measured of."""
    images_seen: Mapped[int]
    metrics: Mapped[list[str]]
    wish: Mapped[dict[str, Any]]
    """The protocol as it was asked for."""
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"))
    figures: Mapped[dict[str, Any] | None]
    unavailable: Mapped[dict[str, Any] | None]
    """Why a metric could not be measured, by its name."""
    protocol: Mapped[dict[str, Any] | None]
    """The protocol as it was carried out."""
    nearest: Mapped[str | None] = mapped_column(String(300))
    """The key of the picture of the samples nearest to training images; null: memorisation was not measured."""
    created_at: Mapped[float]

    job: Mapped[Job] = relationship(lazy="joined", innerjoin=True)


class ApiKey(Table):
    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(100))
    role: Mapped[str] = mapped_column(String(8))
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[float]
    revoked_at: Mapped[float | None]


class LoginSession(Table):
    """A browser's session: the cookie's digest, bound to a key. It ends with the key."""

    __tablename__ = "login_sessions"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    key_id: Mapped[str] = mapped_column(ForeignKey("api_keys.id", ondelete="CASCADE"))
    expires_at: Mapped[float]


class IdempotencyKey(Table):
    """The answer to a creating POST, written in the transaction that created."""

    __tablename__ = "idempotency_keys"

    tenant: Mapped[str] = mapped_column(String(64), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64))
    status: Mapped[int]
    location: Mapped[str] = mapped_column(String(200))
    body: Mapped[str] = mapped_column(Text)
    created_at: Mapped[float]


class Worker(Table):
    """A worker's heartbeat: this row, not a ping, says whether it lives."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(String(200), primary_key=True)
    host: Mapped[str] = mapped_column(String(200))
    pid: Mapped[int]
    device: Mapped[str] = mapped_column(String(32))
    job_id: Mapped[str | None] = mapped_column(String(40))
    started_at: Mapped[float]
    seen_at: Mapped[float]
