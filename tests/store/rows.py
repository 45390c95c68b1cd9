"""Rows for the store's tests, by the shortest way."""

from store import events, jobs, payloads, runs, tables
from store.database import Database

REASON = payloads.Reason("crashed", "the runner was ended by signal 9")


def new_job(**changes: object) -> jobs.NewJob:
    values: dict[str, object] = {
        "tenant": "default",
        "name": "shoes",
        "dataset": "digits",
        "spec": {"seed": 1},
        "labels": {"team": "vision"},
        "images_total": 1000,
        "seconds_total": None,
        "keep_latest": 2,
        "keep_best": 1,
        "max_attempts": 3,
        "max_seconds": None,
    }
    return jobs.NewJob(**(values | changes))  # type: ignore[arg-type]


def create(db: Database, **changes: object) -> str:
    with db.write() as session:
        return jobs.create(session, new=new_job(**changes)).id


def claim(db: Database, job_id: str, *, owner: str = "w1", lease_seconds: float = 3600) -> tables.Job | None:
    with db.write() as session:
        return runs.claim(session, job_id=job_id, owner=owner, lease_seconds=lease_seconds)


def get(db: Database, job_id: str) -> tables.Job:
    with db.read() as session:
        return session.get_one(tables.Job, job_id)


def crash(db: Database, job_id: str, *, attempt: int, backoff_seconds: float = 0) -> None:
    with db.write() as session:
        runs.record_crash(
            session,
            job_id=job_id,
            attempt=attempt,
            reason=REASON,
            backoff_seconds=backoff_seconds,
        )


def told_states(db: Database, job_id: str) -> list[str]:
    with db.read() as session:
        found = events.after(session, job_id=job_id, event_id=0, limit=100)
    return [event.data["status"] for event in found if event.type == "state"]
