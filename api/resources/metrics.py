"""/v1/jobs/{id}/metrics: the training series, as JSON or CSV."""

import csv
import io
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from api.http.access import Reader, Using
from api.http.answers import Answer
from api.http.errors import documented
from api.http.ids import JobId
from store import events, jobs

router = APIRouter(prefix="/v1/jobs", tags=["metrics"])
CSV = {"text/csv": {"schema": {"type": "string"}, "example": "images_seen,loss_g,loss_d\n8192,0.69,1.38\n"}}


class MetricsOut(Answer):
    """The training series by column; null where a tick has no such metric."""

    images_seen: list[int]
    series: dict[str, list[float | None]]


@router.get(
    "/{job_id}/metrics",
    response_model=MetricsOut,
    responses={
        **documented(HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY),
        200: {"content": CSV, "description": "The series by column; with `Accept: text/csv` a table"},
    },
)
def series(
    request: Request,
    services: Using,
    who: Reader,
    job_id: JobId,
    names: Annotated[
        str | None,
        Query(max_length=1000, description="Only these metrics, comma-separated", examples=["loss_g,loss_d"]),
    ] = None,
    after_images: Annotated[int, Query(ge=-1, le=10**15, description="Only what comes after so many images")] = -1,
    points: Annotated[int | None, Query(ge=2, le=10_000, description="Thin out to at most so many points")] = None,
) -> Response:
    """Return the series, rising in `images_seen`. Each place occurs once. First and last are always included."""
    with services.database.read() as session:
        jobs.get(session, job_id=job_id, tenant=who.tenant)
        rows = events.series(session, job_id=job_id, after_images=after_images)
    if points is not None and len(rows) > points:
        rows = [rows[round(place * (len(rows) - 1) / (points - 1))] for place in range(points)]
    wanted = [name for name in names.split(",") if name] if names is not None else _names(rows)
    images = [images for images, _ in rows]
    columns = {name: [values.get(name) for _, values in rows] for name in wanted}
    if _prefers_csv(request):
        return Response(_csv(images, columns), media_type="text/csv")
    return Response(MetricsOut(images_seen=images, series=columns).model_dump_json(), media_type="application/json")


def _names(rows: list[tuple[int, dict[str, float]]]) -> list[str]:
    return sorted({name for _, values in rows for name in values})


def _csv(images: list[int], columns: dict[str, list[float | None]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["images_seen", *columns])
    writer.writerows(zip(images, *columns.values(), strict=True))
    return text.getvalue()


def _prefers_csv(request: Request) -> bool:
    accept = request.headers.get("accept", "")
    return "text/csv" in accept and "application/json" not in accept
