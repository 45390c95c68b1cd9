"""Schemas of the API's answers. Fields that a newer server adds are kept; those an older one lacks have a default."""

from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

ENDED = frozenset({"succeeded", "diverged", "failed", "cancelled"})

ItemT = TypeVar("ItemT")


class Schema(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow")


class Reason(Schema):
    code: str
    message: str


class Progress(Schema):
    images_seen: int
    images_total: int | None
    fraction: float | None
    images_per_second: float | None
    eta_seconds: float | None


class Origin(Schema):
    """The origin of a fork. Its job and its checkpoint may have been deleted since."""

    job: str
    checkpoint: str


class Job(Schema):
    id: str
    name: str | None
    status: str
    reason: Reason | None
    spec: dict[str, Any]
    progress: Progress
    attempt: int
    latest_checkpoint: str | None
    best_checkpoint: str | None
    quality: dict[str, Any] | None
    forked_from: Origin | None = None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    metadata: dict[str, str]

    @property
    def has_ended(self) -> bool:
        return self.status in ENDED


class Estimate(Schema):
    """The answer to a dry run: the resolved spec, and what the run would take."""

    spec: dict[str, Any]
    warnings: tuple[Any, ...] = ()


class Event(Schema):
    """Something that happened to a job. `id` rises within the job."""

    id: int
    type: str
    at: datetime
    images_seen: int
    data: dict[str, Any]

    @property
    def ends_the_job(self) -> bool:
        return self.type == "state" and self.data.get("status") in ENDED


class Checkpoint(Schema):
    id: str
    images_seen: int
    pinned: bool = False
    """Whether it is kept, however many checkpoints are newer or better."""


class ImportProgress(Schema):
    entries: int
    entries_total: int
    fraction: float


class Dataset(Schema):
    """A dataset, built in or imported. Its facts are null until it is ready."""

    id: str
    name: str
    status: str = "ready"
    """importing, ready or failed."""
    reason: Reason | None = None
    progress: ImportProgress | None = None
    kind: str = "builtin"
    digest: str | None = None
    resolution: int | None
    channels: int | None
    images: int | None
    classes: tuple[str, ...]


class FileReason(Schema):
    name: str
    reason: str


class Conversion(Schema):
    name: str
    images: int
    what: str


class Duplicates(Schema):
    exact: int
    near: int


class DatasetReport(Schema):
    """The content of an imported file, and the fate of each picture."""

    images: int
    holdout_images: int
    resolution: int
    channels: int
    conversions: tuple[Conversion, ...]
    classes: tuple[dict[str, Any], ...]
    duplicates: Duplicates
    refused: int
    refused_files: tuple[FileReason, ...]
    ignored_files: tuple[str, ...]
    advice: tuple[str, ...]


class TimelinePlace(Schema):
    images_seen: int
    url: str


class Timeline(Schema):
    data: tuple[TimelinePlace, ...]


class MeasuredFigure(Schema):
    value: float
    interval: tuple[float | None, float | None]
    """The 95 % interval under another draw of samples. Null where it is not known."""
    note: str = ""
    """A part of the figure's name, such as the number of samples of FID."""


class EvaluationProgress(Schema):
    images: int
    images_total: int
    fraction: float


class Evaluation(Schema):
    """The figures of a checkpoint, with the protocol by which they were measured; null until it has succeeded."""

    id: str
    status: str
    reason: Reason | None
    progress: EvaluationProgress
    job: str
    checkpoint: str
    images_seen: int
    figures: dict[str, MeasuredFigure] | None
    unavailable: dict[str, str] | None
    protocol: dict[str, Any] | None
    nearest: str | None = None
    """The address of the picture of the samples nearest to training images, where memorisation was measured."""


class ComparedJob(Schema):
    id: str
    name: str | None
    evaluation: str | None


class ComparedFigure(Schema):
    name: str
    title: str
    values: tuple[MeasuredFigure | None, ...]
    best: int | None
    beyond_noise: tuple[bool | None, ...]


class Comparison(Schema):
    """Jobs side by side. `settings` are the fields that differ; figures are of one protocol."""

    jobs: tuple[ComparedJob, ...]
    settings: dict[str, tuple[Any, ...]]
    protocol: dict[str, Any] | None
    figures: tuple[ComparedFigure, ...]


class Preset(Schema):
    name: str
    purpose: str
    spec: dict[str, Any]


class Figure(Schema):
    """A number of a run: `name` is its key in events, series and quality; `metric` gives it, null in training."""

    name: str
    title: str
    unit: str
    better: str | None
    about: str
    metric: str | None


class Series(Schema):
    """The training series by column: `series[name][i]` was measured at `images_seen[i]`."""

    images_seen: tuple[int, ...]
    series: dict[str, tuple[float | None, ...]]


class Page(Schema, Generic[ItemT]):
    data: tuple[ItemT, ...]
    has_more: bool
    next: str | int | None


class Grid(Schema):
    """A PNG of samples, and the checkpoint that they were drawn from."""

    png: bytes
    checkpoint: str
    images_seen: int


class Readiness(Schema):
    """The state of each part: `ok`, or what is wrong with it."""

    ready: bool
    database: str
    redis: str
    workers: str
