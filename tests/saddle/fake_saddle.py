"""The memory of the fake service, and its orders to fail."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from tests.saddle.fake_datasets import FakeDatasets
from tests.saddle.fake_evaluations import FakeEvaluations

ENDED = {"succeeded", "diverged", "failed", "cancelled"}
AT = "2026-11-23T12:00:00Z"


@dataclass
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass
class Answer:
    status: int
    body: bytes
    headers: dict[str, str]


@dataclass
class FakeSaddle:
    """A fake service. After `cut_after[i]` events it cuts event stream i within a frame; after `close_after[i]` events
    it ends the stream in good order.
    """

    url: str = ""
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    events: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    instead: deque[Answer] = field(default_factory=deque)
    requests: list[Request] = field(default_factory=list)
    first_answers: dict[str, tuple[Any, str]] = field(default_factory=dict)
    cut_after: deque[int] = field(default_factory=deque)
    close_after: deque[int] = field(default_factory=deque)
    pinned: set[str] = field(default_factory=set)
    datasets: FakeDatasets = field(default_factory=FakeDatasets)
    evaluations: FakeEvaluations = field(default_factory=FakeEvaluations)

    def answer_next(self, status: int, body: bytes = b"", **headers: str) -> None:
        """Give this answer to the next request. Status 0 cuts the connection without an answer."""
        self.instead.append(Answer(status, body, headers))

    def add_job(self, status: str = "running", **changes: Any) -> str:
        job_id = f"job_{len(self.jobs):04}"
        self.jobs[job_id] = {
            "id": job_id,
            "name": None,
            "status": status,
            "reason": None,
            "spec": {"preset": "robust", "dataset": {"kind": "builtin", "name": "fashion-mnist"}, "batch_size": 128},
            "progress": {
                "images_seen": 500,
                "images_total": 1000,
                "fraction": 0.5,
                "images_per_second": 100.0,
                "eta_seconds": 5,
            },
            "attempt": 1,
            "latest_checkpoint": "ckpt_1",
            "best_checkpoint": None,
            "quality": {"fid": 8.4321, "precision": 0.82, "images_seen": 400},
            "forked_from": None,
            "created_at": AT,
            "started_at": AT,
            "ended_at": "2026-11-23T12:02:05Z" if status in ENDED else None,
            "metadata": {},
            "a_field_of_tomorrow": True,
        } | changes
        self.events[job_id] = []
        return job_id

    def add_event(self, job_id: str, kind: str, images_seen: int = 0, **data: Any) -> None:
        events = self.events[job_id]
        event = {"id": len(events) + 1, "type": kind, "at": AT, "images_seen": images_seen, "data": data}
        events.append(event)

    def add_run(self, status: str = "succeeded", *, ticks: int = 3) -> str:
        """Add a job that went through all its states."""
        job_id = self.add_job(status)
        self.add_event(job_id, "state", status="queued", previous=None, reason=None, attempt=0)
        self.add_event(job_id, "state", status="running", previous="queued", reason=None, attempt=1)
        for tick in range(1, ticks + 1):
            seen = 1000 * tick // ticks
            self.add_event(job_id, "metrics", seen, loss_g=0.7, loss_d=1.25, images_per_second=9800.0)
        self.add_event(job_id, "evaluation", 1000, fid=6.125, precision=0.9)
        reason = {"code": "completed", "message": "the images of the budget are used up"}
        self.add_event(job_id, "state", 1000, status=status, previous="running", reason=reason, attempt=1)
        return job_id
