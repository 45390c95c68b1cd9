"""/v1/jobs/{id}/cancel, pause, resume, retry: requests that change a job's state."""

from collections.abc import Callable
from http import HTTPStatus

from fastapi import APIRouter

from api.http.access import Using, Writer
from api.http.errors import REFUSED, documented
from api.http.ids import JobId
from api.resources.jobs.answers import JobOut
from store import jobs, tables

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])
FAULTS = documented(*REFUSED, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)
ORDERS: dict[str, tuple[Callable[..., tables.Job], str]] = {
    "cancel": (
        jobs.cancel,
        "Cancel a job for good; its checkpoints stay. A running one is `cancelling` until its trainer has stopped.",
    ),
    "pause": (
        jobs.pause,
        "Pause a job. A running one is `pausing` until its trainer has saved its state, at the next step.",
    ),
    "resume": (
        jobs.resume,
        "Queue a paused job again. It goes on at the step where it was paused, as if without a pause.",
    ),
    "retry": (
        jobs.retry,
        "Queue a failed or diverged job again, from its newest checkpoint, with its full attempts and time.\n\n"
        "A diverged one will diverge again unless the cause was the machine: fork it with other settings instead.",
    ),
}


def _route(order: Callable[..., tables.Job]) -> Callable[..., tables.Job]:
    def give(services: Using, who: Writer, job_id: JobId) -> tables.Job:
        with services.database.write() as session:
            return order(session, job_id=job_id, tenant=who.tenant)

    return give


for verb, (order, description) in ORDERS.items():
    router.add_api_route(
        f"/{{job_id}}/{verb}",
        _route(order),
        methods=["POST"],
        name=verb,
        description=description,
        response_model=JobOut,
        responses=FAULTS,
    )
