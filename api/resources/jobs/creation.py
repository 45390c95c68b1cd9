"""A new job: its row from a spec, and the answer to the request that created it."""

from api.resources.jobs.answers import JobOut
from models.specs import TrainingSpec
from store import jobs, tables
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
        keep_latest=spec.checkpoint.keep_latest,
        keep_best=spec.checkpoint.keep_best,
        max_attempts=spec.max_attempts,
        max_seconds=spec.max_seconds,
        forked_from_job=forked_from.job_id if forked_from else None,
        forked_from_checkpoint=forked_from.id if forked_from else None,
    )


def accepted(job: tables.Job) -> Answer:
    """Return the 202 for a job that was just created."""
    return Answer(status=202, location=f"/v1/jobs/{job.id}", body=JobOut.model_validate(job).model_dump_json())
