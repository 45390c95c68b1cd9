"""/v1/comparisons: jobs side by side, by their settings and by figures of one protocol."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlalchemy.orm import Session

from api.http import ids
from api.http.access import Reader, Using
from api.http.answers import Answer
from api.http.errors import documented, invalid
from models.specs import differences, figures
from models.specs.evaluations import CompleteProtocol, Figure
from store import evaluations, jobs, tables

router = APIRouter(prefix="/v1/comparisons", tags=["evaluations"])
MOST_JOBS = 12
COMPARED = ("version", "extractor_digest", "samples", "reference_digest")
"""The fields of a protocol that figures must share. Another seed is another draw of the same."""


class Compared(Answer):
    """A job of the comparison."""

    id: str
    name: str | None
    status: str
    evaluation: str | None
    """The evaluation whose figures are shown. Null if the job has none under the shared protocol."""


class ComparedFigure(Answer):
    name: str
    title: str
    better: str | None
    values: list[Figure | None]
    """One for each job, in their order."""
    best: int | None
    """The job whose figure is best. Null where no direction is better, or a figure is missing."""
    beyond_noise: list[bool | None]
    """For each job, whether it differs from the best by more than noise. Null where that is not known."""


class ComparisonOut(Answer):
    jobs: list[Compared]
    settings: dict[str, list[Any]]
    """The fields of the specs that differ, by path, with each job's value."""
    protocol: CompleteProtocol | None
    """The protocol of all figures. Null if no protocol is shared: evaluate the jobs alike."""
    figures: list[ComparedFigure]


@router.get(
    "", response_model=ComparisonOut, responses=documented(HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY)
)
def show(
    services: Using,
    who: Reader,
    jobs_: Annotated[str, Query(alias="jobs", max_length=1000, description="Ids of 2 to 12 jobs, with commas")],
) -> ComparisonOut:
    """Compare jobs: what differs between them, and which figures differ beyond their noise."""
    wanted = list(dict.fromkeys(jobs_.split(",")))
    if not 2 <= len(wanted) <= MOST_JOBS:
        raise invalid("query/jobs", f"name 2 to {MOST_JOBS} jobs, separated by commas")
    if any(not ids.matches(job_id, "job") for job_id in wanted):
        raise invalid("query/jobs", "name jobs by their ids, job_…")
    with services.database.read() as session:
        rows = [jobs.get(session, job_id=job_id, tenant=who.tenant) for job_id in wanted]
        measured = [_newest_by_protocol(session, row, tenant=who.tenant) for row in rows]
    shared = _shared(measured)
    chosen = [None if shared is None else by_protocol.get(shared) for by_protocol in measured]
    protocol = next((row.protocol for row in chosen if row is not None), None)
    return ComparisonOut(
        jobs=[
            Compared(id=row.id, name=row.name, status=row.status, evaluation=None if one is None else one.id)
            for row, one in zip(rows, chosen, strict=True)
        ],
        settings=differences.of_specs([row.spec for row in rows]),
        protocol=None if protocol is None else CompleteProtocol.model_validate(protocol),
        figures=_figures(chosen),
    )


Key = tuple[Any, ...]


def _newest_by_protocol(session: Session, job: tables.Job, *, tenant: str) -> dict[Key, tables.Evaluation]:
    """Return a job's newest evaluation under each protocol, the newest first."""
    rows, _ = evaluations.page(session, tenant=tenant, limit=100, after=None, subject_job=job.id)
    found: dict[Key, tables.Evaluation] = {}
    for row in rows:
        if row.protocol is not None:
            found.setdefault(tuple(row.protocol[field] for field in COMPARED), row)
    return found


def _shared(measured: Sequence[dict[Key, tables.Evaluation]]) -> Key | None:
    """Return the protocol that most jobs have figures of; of equals, the one used last. None if no two share one."""
    keys = dict.fromkeys(key for by_protocol in measured for key in by_protocol)

    def worth(key: Key) -> tuple[int, str]:
        rows = [by_protocol[key] for by_protocol in measured if key in by_protocol]
        return len(rows), max(row.id for row in rows)

    best = max(keys, key=worth, default=None)
    return best if best is not None and worth(best)[0] > 1 else None


def _figures(chosen: Sequence[tables.Evaluation | None]) -> list[ComparedFigure]:
    names = dict.fromkeys(name for row in chosen if row is not None for name in row.figures or {})
    return [_figure(name, [None if row is None else (row.figures or {}).get(name) for row in chosen]) for name in names]


def _figure(name: str, stored: Sequence[Any]) -> ComparedFigure:
    known = figures.QUALITY[name]
    values = [None if value is None else Figure.model_validate(value) for value in stored]
    present = [(value.value, place) for place, value in enumerate(values) if value is not None]
    best = None
    if known.better is not None and present:
        best = (min if known.better == "lower" else max)(present)[1]
    top = None if best is None else values[best]
    beyond = [
        None if value is None or top is None else value is not top and differences.exceeds_noise(value, top)
        for value in values
    ]
    return ComparedFigure(
        name=name, title=known.title, better=known.better, values=values, best=best, beyond_noise=beyond
    )
