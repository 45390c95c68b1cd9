"""/v1/jobs/{id}/cancel, pause, resume, retry: what a client may do to a job's course."""

from http import HTTPStatus

from fastapi import APIRouter

from api.access import Using, Writer
from api.errors import documented
from api.jobs import JobId
from api.schemas import JobOut
from store import jobs

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])
FAULTS = documented(HTTPStatus.FORBIDDEN, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)


@router.post("/{job_id}/cancel", response_model=JobOut, responses=FAULTS)
def cancel(services: Using, who: Writer, job_id: JobId) -> JobOut:
    """Cancel a job for good; its checkpoints stay. A running one is `cancelling` until its trainer has stopped."""
    with services.database.write() as session:
        return JobOut.of(jobs.cancel(session, job_id=job_id, tenant=who.tenant))


@router.post("/{job_id}/pause", response_model=JobOut, responses=FAULTS)
def pause(services: Using, who: Writer, job_id: JobId) -> JobOut:
    """Pause a job. A running one is `pausing` until its trainer has saved its state, at the next step."""
    with services.database.write() as session:
        return JobOut.of(jobs.pause(session, job_id=job_id, tenant=who.tenant))


@router.post("/{job_id}/resume", response_model=JobOut, responses=FAULTS)
def resume(services: Using, who: Writer, job_id: JobId) -> JobOut:
    """Queue a paused job again. It goes on at the very step where it was paused, as if it had not been."""
    with services.database.write() as session:
        return JobOut.of(jobs.resume(session, job_id=job_id, tenant=who.tenant))


@router.post("/{job_id}/retry", response_model=JobOut, responses=FAULTS)
def retry(services: Using, who: Writer, job_id: JobId) -> JobOut:
    """Queue a failed or diverged job again, from its newest checkpoint, with all its attempts before it.

    A diverged one will diverge again unless the cause was the machine: fork it with other settings instead.
    """
    with services.database.write() as session:
        return JobOut.of(jobs.retry(session, job_id=job_id, tenant=who.tenant))
