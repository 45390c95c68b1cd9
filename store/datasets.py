"""Imported datasets: a row each, beside the job that imports it. The job's status says how the import stands."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from store import jobs, runs, states, tables
from store.errors import Conflict, NotFound
from store.jobs import NewJob
from store.payloads import Reason

IMPORT = "dataset_import"
"""The kind of job that imports a dataset."""
MOST_ATTEMPTS = 3
IMPORTING, READY, FAILED = "importing", "ready", "failed"


@dataclass(frozen=True)
class NewDataset:
    """A dataset to import. Its file is stored, and has been looked at."""

    id: str
    tenant: str
    name: str
    file_name: str
    """The client's name of the file."""
    upload: str
    """The key of the file's artifact."""
    upload_bytes: int
    options: dict[str, Any]
    form: str
    """The file's format."""
    entries: int
    resolution: int


@dataclass(frozen=True)
class Content:
    """An imported dataset's content."""

    path: str
    """The key of its artifact."""
    size_bytes: int
    digest: str
    facts: dict[str, Any]
    class_names: list[str]


def status(dataset: tables.Dataset) -> str:
    """Return how the import stands: importing, ready or failed."""
    if dataset.digest is not None:
        return READY
    return FAILED if dataset.job.status in states.ENDED else IMPORTING


def create(session: Session, *, new: NewDataset) -> tables.Dataset:
    """Create a dataset and the job that imports it. A failed import gives its name free.

    Raises Conflict if the tenant has another dataset of this name.
    """
    named = select(tables.Dataset).where(tables.Dataset.tenant == new.tenant, tables.Dataset.name == new.name)
    earlier = session.scalar(named.with_for_update())
    if earlier is not None:
        if status(earlier) != FAILED:
            raise _taken(new.name)
        _remove(session, earlier)
    job = jobs.create(
        session,
        new=NewJob(
            tenant=new.tenant,
            name=new.name,
            dataset=new.name,
            spec={"dataset": new.id, "form": new.form, "resolution": new.resolution, "options": new.options},
            labels={},
            images_total=new.entries,
            seconds_total=None,
            max_attempts=MOST_ATTEMPTS,
            max_seconds=None,
            keep_latest=1,
            keep_best=0,
            kind=IMPORT,
        ),
    )
    dataset = tables.Dataset(
        id=new.id,
        tenant=new.tenant,
        name=new.name,
        file_name=new.file_name,
        upload=new.upload,
        upload_bytes=new.upload_bytes,
        options=new.options,
        job=job,
        created_at=states.now(session),
    )
    session.add(dataset)
    try:
        session.flush()
    except IntegrityError as error:
        raise _taken(new.name) from error
    return dataset


def get(session: Session, *, dataset_id: str, tenant: str) -> tables.Dataset:
    """Return a dataset of a tenant. Raises NotFound, also for another tenant's."""
    query = select(tables.Dataset).where(tables.Dataset.id == dataset_id, tables.Dataset.tenant == tenant)
    if (dataset := session.scalar(query)) is None:
        raise NotFound(f"no dataset {dataset_id}")
    return dataset


def page(session: Session, *, tenant: str, limit: int, after: str | None) -> tuple[list[tables.Dataset], bool]:
    """Return a page of a tenant's datasets, newest first, and whether there are more."""
    query = select(tables.Dataset).where(tables.Dataset.tenant == tenant)
    if after is not None:
        query = query.where(tables.Dataset.id < after)
    rows = list(session.scalars(query.order_by(tables.Dataset.id.desc()).limit(limit + 1)))
    return rows[:limit], len(rows) > limit


def of_job(session: Session, *, job_id: str) -> tables.Dataset:
    """Return the dataset that a job imports."""
    return session.scalars(select(tables.Dataset).where(tables.Dataset.job_id == job_id)).one()


def complete(session: Session, *, job_id: str, attempt: int, content: Content, reason: Reason) -> tables.Dataset:
    """Record a dataset's content and end its job, unless a cancel came first. Raises LeaseLost."""
    job = runs.finish(session, job_id=job_id, attempt=attempt, status=states.SUCCEEDED, reason=reason)
    dataset = of_job(session, job_id=job_id)
    if job.status == states.SUCCEEDED:
        dataset.path, dataset.size_bytes, dataset.digest = content.path, content.size_bytes, content.digest
        dataset.facts, dataset.class_names, dataset.upload = content.facts, content.class_names, None
    return dataset


def cancel(session: Session, *, dataset_id: str, tenant: str) -> tables.Dataset:
    """Cancel an import. Raises NotFound; Conflict if it has ended otherwise."""
    dataset = get(session, dataset_id=dataset_id, tenant=tenant)
    jobs.cancel(session, job_id=dataset.job_id, tenant=tenant, kind=IMPORT)
    return dataset


def retry(session: Session, *, dataset_id: str, tenant: str) -> tables.Dataset:
    """Import the file again, after a failure or a pause. Raises NotFound; Conflict where there is nothing to try."""
    dataset = get(session, dataset_id=dataset_id, tenant=tenant)
    order = jobs.resume if dataset.job.status in {states.PAUSED, states.PAUSING} else jobs.retry
    order(session, job_id=dataset.job_id, tenant=tenant, kind=IMPORT)
    return dataset


def delete(session: Session, *, dataset_id: str, tenant: str) -> None:
    """Delete a dataset; the caller deletes its artifacts after the commit.

    Raises NotFound; Conflict while it is imported, or while a job needs it that has not ended.
    """
    query = select(tables.Dataset).where(tables.Dataset.id == dataset_id, tables.Dataset.tenant == tenant)
    dataset = session.scalar(query.with_for_update())
    if dataset is None:
        raise NotFound(f"no dataset {dataset_id}")
    if status(dataset) == IMPORTING:
        raise Conflict(f"dataset {dataset_id} is being imported: cancel it first")
    running = (tables.Job.dataset_id == dataset_id, tables.Job.status.not_in(states.ENDED))
    needed = session.scalars(select(tables.Job.id).where(*running).limit(4)).all()
    if needed:
        more = " and others" if len(needed) > 3 else ""
        raise Conflict(f"dataset {dataset_id} is needed by {', '.join(needed[:3])}{more}: cancel them first")
    _remove(session, dataset)


def paths(session: Session) -> set[str]:
    """Return the keys of all artifacts that belong to datasets."""
    rows = session.execute(select(tables.Dataset.upload, tables.Dataset.path)).all()
    return {key for row in rows for key in row if key is not None}


def usable(session: Session, *, dataset_id: str, tenant: str) -> tables.Dataset | None:
    """Return a dataset that a new job of the tenant can be trained on; None if there is none, or it is not ready."""
    query = select(tables.Dataset).where(tables.Dataset.id == dataset_id, tables.Dataset.tenant == tenant)
    dataset = session.scalar(query)
    return dataset if dataset is not None and dataset.digest is not None else None


def _remove(session: Session, dataset: tables.Dataset) -> None:
    job = dataset.job
    session.delete(dataset)
    session.flush()
    session.delete(job)
    session.flush()


def _taken(name: str) -> Conflict:
    return Conflict(f"there is already a dataset named {name}: delete it first, or choose another name")
