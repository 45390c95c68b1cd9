"""A new job: its row from a spec, and the answer to the request that created it."""

from api.resources.jobs.answers import JobOut
from models import presets
from models.specs import DatasetFacts, TrainingSpec, UploadedDataset
from store import datasets, jobs, tables
from store.database import Database
from store.idempotency import Answer


def new_job(spec: TrainingSpec, *, tenant: str, forked_from: tables.Checkpoint | None = None) -> jobs.NewJob:
    """Return the store's description of a new job. `forked_from`: the checkpoint that it begins with."""
    return jobs.NewJob(
        tenant=tenant,
        name=spec.name,
        dataset=spec.dataset.name,
        spec=spec.model_dump(mode="json"),
        labels=dict(spec.metadata),
        images_total=spec.budget.images,
        seconds_total=spec.budget.seconds,
        dataset_id=spec.dataset.id if spec.dataset.kind == "uploaded" else None,
        keep_latest=spec.checkpoint.keep_latest,
        keep_best=spec.checkpoint.keep_best,
        max_attempts=spec.max_attempts,
        max_seconds=spec.max_seconds,
        forked_from_job=forked_from.job_id if forked_from else None,
        forked_from_checkpoint=forked_from.id if forked_from else None,
    )


def finder(database: Database, tenant: str) -> presets.Find:
    """Return the function that finds a tenant's imported datasets for a spec."""

    def find(dataset_id: str) -> UploadedDataset | None:
        with database.read() as session:
            row = datasets.usable(session, dataset_id=dataset_id, tenant=tenant)
        if row is None or row.digest is None:
            return None
        facts = DatasetFacts.model_validate(row.facts)
        return UploadedDataset(id=row.id, name=row.name, digest=row.digest, facts=facts)

    return find


def accepted(job: tables.Job) -> Answer:
    """Return the 202 for a job that was just created."""
    return Answer(status=202, location=f"/v1/jobs/{job.id}", body=JobOut.model_validate(job).model_dump_json())
