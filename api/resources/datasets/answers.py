"""The answer that describes a dataset, built in or imported."""

from typing import Literal

from api.http.answers import Answer, Instant
from models.data import catalog
from models.specs import DatasetFacts
from models.specs.imports import ImportOptions
from store import datasets, states, tables


class Reason(Answer):
    code: str
    message: str


class ImportProgress(Answer):
    entries: int
    """Pictures that were decoded or refused."""
    entries_total: int
    fraction: float
    images_per_second: float | None


class DatasetOut(Answer):
    id: str
    name: str
    kind: Literal["builtin", "uploaded"]
    title: str
    status: Literal["importing", "ready", "failed"]
    reason: Reason | None
    """Why an import has ended, waits or is tried again."""
    facts: DatasetFacts | None
    """Null until the import has succeeded."""
    digest: str | None
    """SHA-256 of images, labels and split. Null for a built-in dataset, and until the import has succeeded."""
    progress: ImportProgress | None
    """Null for a built-in dataset."""
    options: ImportOptions | None
    classes: list[str]
    """The names of the classes, in the order of their numbers."""
    resolution: int | None
    channels: int | None
    images: int | None
    """Images to train on."""
    modes: int | None
    """How many separate modes the metric `modes` counts; null: not known."""
    size_bytes: int | None
    created_at: Instant | None


def imported(row: tables.Dataset) -> DatasetOut:
    job = row.job
    facts = None if row.facts is None else DatasetFacts.model_validate(row.facts)
    reason = Reason(code=job.reason_code, message=job.reason_message or "") if job.reason_code else None
    total = job.images_total or 0
    seen = total if job.status == states.SUCCEEDED else job.images_seen
    progress = ImportProgress(
        entries=seen,
        entries_total=total,
        fraction=seen / total if total else 0.0,
        images_per_second=job.images_per_second,
    )
    return DatasetOut(
        id=row.id,
        name=row.name,
        kind="uploaded",
        title=f"{row.name}, imported from {row.file_name}",
        status=datasets.status(row),
        reason=reason,
        facts=facts,
        digest=row.digest,
        progress=progress,
        options=ImportOptions.model_validate(row.options),
        classes=row.class_names or [],
        resolution=facts and facts.resolution,
        channels=facts and facts.channels,
        images=facts and facts.images,
        modes=None,
        size_bytes=row.size_bytes,
        created_at=row.created_at,
    )


def builtin(entry: catalog.Builtin) -> DatasetOut:
    facts = entry.facts
    return DatasetOut(
        id=entry.name,
        name=entry.name,
        kind="builtin",
        title=entry.title,
        status="ready",
        reason=None,
        facts=facts,
        digest=None,
        progress=None,
        options=None,
        classes=list(entry.class_names),
        resolution=facts.resolution,
        channels=facts.channels,
        images=facts.images,
        modes=facts.modes,
        size_bytes=None,
        created_at=None,
    )
