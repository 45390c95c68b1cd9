"""Evaluations as a worker leaves them."""

from typing import Any

from api.services import Services
from models.specs.evaluations import CompleteProtocol
from store import evaluations, runs
from store.payloads import Reason

PROTOCOL = CompleteProtocol(
    version=1,
    extractor="imagenet",
    extractor_digest="e" * 64,
    samples=10_000,
    seed=0,
    reference="holdout",
    reference_images=300,
    reference_digest="f" * 64,
    dataset="digits",
)


def draw_nearest(services: Services) -> str:
    """Store a picture of the nearest pairs; return its key."""
    key = "jobs/job_1/nearest-1"
    with services.artifacts.put(key, min_free_bytes=0) as folder:
        (folder / evaluations.NEAREST).write_bytes(b"pairs")
    return key


def measure(
    services: Services,
    evaluation_id: str,
    *,
    tenant: str = "default",
    protocol: CompleteProtocol = PROTOCOL,
    nearest: str | None = None,
    **kid: Any,
) -> None:
    """Do a worker's part: the figure is `value`, with the bounds `low` and `high`; `nearest` is a picture's key."""
    figures = {"kid": {"value": kid["value"], "interval": [kid.get("low"), kid.get("high")]}}
    with services.database.write() as session:
        job_id = evaluations.get(session, evaluation_id=evaluation_id, tenant=tenant).job_id
        assert runs.claim(session, job_id=job_id, owner="test", lease_seconds=60)
        evaluations.complete(
            session,
            job_id=job_id,
            attempt=1,
            figures=figures,
            unavailable={"fid": "300 images are too few"},
            protocol=protocol.model_dump(mode="json"),
            nearest=nearest,
            reason=Reason("completed", "1 figure"),
        )
