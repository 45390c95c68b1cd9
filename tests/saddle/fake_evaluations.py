"""The evaluations of the fake service, and its comparison of two jobs."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

PROTOCOL = {
    "version": 1,
    "extractor": "imagenet",
    "extractor_digest": "e" * 64,
    "samples": 10_000,
    "seed": 0,
    "reference": "holdout",
    "reference_images": 400,
    "reference_digest": "f" * 64,
    "dataset": "shoes",
}
FIGURES = {
    "kid": {"value": 0.0125, "interval": [0.011, 0.014]},
    "fid": {"value": 6.5, "interval": [None, None], "note": "10,000 samples"},
}
UNAVAILABLE = {"precision_recall": "60 real images are too few: at least 100 are needed"}
NEAREST = b"PNG of pairs"
SUCCEEDED = {"status": "succeeded", "figures": FIGURES, "unavailable": UNAVAILABLE, "protocol": PROTOCOL}


@dataclass
class FakeEvaluations:
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    ends: deque[dict[str, Any]] = field(default_factory=deque)
    """Changes to an evaluation, one for each time it is asked for. Without more, it succeeds."""

    def answer(self, method: str, path: list[str], query: dict[str, str], body: Any) -> tuple[int, Any]:
        """Return the status and the body; a list is answered in pages, bytes as a picture."""
        match (method, *path):
            case ("GET", evaluation_id, "nearest.png") if evaluation_id in self.rows:
                return 200, NEAREST
            case ("GET",):
                rows = [row for row in self.rows.values() if query.get("job") in {None, row["job"]}]
                return 200, rows[::-1]
            case ("POST",):
                evaluation_id = f"eval_{len(self.rows)}"
                self.rows[evaluation_id] = {
                    "id": evaluation_id,
                    "status": "queued",
                    "reason": None,
                    "progress": {"images": 0, "images_total": 10_000, "fraction": 0.0},
                    "job": body.get("job", "job_0000"),
                    "checkpoint": body.get("checkpoint", "ckpt_1"),
                    "images_seen": 500,
                    "metrics": body["metrics"],
                    "figures": None,
                    "unavailable": None,
                    "protocol": None,
                }
                return 202, self.rows[evaluation_id]
            case ("GET", evaluation_id) if evaluation_id in self.rows:
                self.rows[evaluation_id] |= self.ends.popleft() if self.ends else SUCCEEDED
                return 200, self.rows[evaluation_id]
        return 404, "no such evaluation"

    def compare(self, jobs: list[str]) -> dict[str, Any]:
        """Compare the jobs by their newest evaluations. The first is the best, the others are worse beyond noise."""
        newest = [max((row["id"] for row in self.rows.values() if row["job"] == job), default=None) for job in jobs]
        shared = all(newest)
        return {
            "jobs": [
                {"id": job, "name": None, "status": "succeeded", "evaluation": one if shared else None}
                for job, one in zip(jobs, newest, strict=True)
            ],
            "settings": {"generator_optimizer.lr": [0.0002 * (place + 1) for place in range(len(jobs))]},
            "protocol": PROTOCOL if shared else None,
            "figures": [
                {
                    "name": "kid",
                    "title": "KID",
                    "better": "lower",
                    "values": [FIGURES["kid"], *([{"value": 0.05, "interval": [0.04, 0.06]}] * (len(jobs) - 1))],
                    "best": 0,
                    "beyond_noise": [False, *([True] * (len(jobs) - 1))],
                }
            ]
            if shared
            else [],
        }
