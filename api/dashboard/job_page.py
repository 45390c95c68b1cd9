"""/jobs/{id}: one job, from its progress to its last event."""

from fastapi import APIRouter, Request, Response
from sqlalchemy.orm import Session

from api.dashboard import rendering
from api.dashboard.routing import PageRoute, Viewer
from api.http.access import Using
from api.http.errors import not_found
from api.resources.checkpoints import CheckpointOut
from api.resources.evaluations import out as evaluation_out
from api.resources.events import EventOut
from api.resources.jobs.answers import JobOut
from models.specs import figures
from store import checkpoints, evaluations, events, ids, jobs, tables
from store.errors import NotFound

router = APIRouter(route_class=PageRoute)
EVENTS_SHOWN = 100
EVALUATIONS_DRAWN = 1000
"""The most evaluations of the job's own that are drawn."""
EVALUATIONS_LISTED = 10
"""The most evaluations that were asked for and are listed."""
TOLD = ("state", "checkpoint", "samples", "evaluation", "guard", "log")
"""The types of events that are listed: all but the ticks, which are drawn as curves."""


@router.get("/jobs/{job_id}")
def show(request: Request, services: Using, viewer: Viewer, job_id: str) -> Response:
    """Show a job. A malformed id is answered like another tenant's job: 404."""
    if not ids.is_valid(job_id, prefix="job"):
        raise not_found("no such job")
    with services.database.read() as session:
        job = jobs.get(session, job_id=job_id, tenant=viewer.tenant)
        saved = checkpoints.newest_first(session, job_id=job_id)
        told = events.newest_first(session, job_id=job_id, types=TOLD, limit=EVENTS_SHOWN)
        parent = _parent(session, job, tenant=viewer.tenant)
        evaluated, _ = evaluations.page(
            session, tenant=viewer.tenant, limit=EVALUATIONS_LISTED, after=None, subject_job=job_id
        )
        rated = events.newest_first(session, job_id=job_id, types=("evaluation",), limit=EVALUATIONS_DRAWN)
    answer = JobOut.model_validate(job)
    context = {
        "job": answer,
        "parent": None if parent is None else JobOut.model_validate(parent),
        "seconds_trained": job.seconds_trained or None,
        "checkpoints": [CheckpointOut.model_validate(row) for row in saved],
        "events": [EventOut.model_validate(row) for row in told],
        "events_shown": EVENTS_SHOWN,
        "figures": {
            **{name: vars(figure) for name, figure in figures.SERIES.items()},
            **{f"quality.{name}": vars(figure) for name, figure in figures.QUALITY.items()},
        },
        "measured": figures.measured_by(answer.spec.evaluation.metrics),
        "rated": [{"images_seen": row.images_seen, **row.data} for row in reversed(rated)],
        "evaluations": [evaluation_out(row) for row in evaluated],
        "last_event_id": job.last_event_id,
        "may_write": viewer.may("write"),
    }
    return rendering.page(request, "job.html", viewer=viewer, context=context)


def _parent(session: Session, job: tables.Job, *, tenant: str) -> tables.Job | None:
    """Return the job that a fork comes from, unless it has been deleted."""
    if job.forked_from_job is None:
        return None
    try:
        return jobs.get(session, job_id=job.forked_from_job, tenant=tenant)
    except NotFound:
        return None
