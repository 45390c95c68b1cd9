"""The datasets of the fake service."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

REPORT = {
    "images": 36,
    "holdout_images": 4,
    "resolution": 64,
    "channels": 3,
    "conversions": [{"name": "cropped", "images": 40, "what": "cut to a square"}],
    "classes": [
        {"name": "cats", "images": 18, "holdout_images": 2},
        {"name": "dogs", "images": 18, "holdout_images": 2},
    ],
    "duplicates": {"exact": 1, "near": 2, "examples": []},
    "refused": 12,
    "refused_files": [{"name": f"{number}.png", "reason": "is empty"} for number in range(12)],
    "ignored_files": ["readme.txt"],
    "advice": ["40 images are few"],
}


def dataset(dataset_id: str, name: str, *, kind: str = "uploaded", status: str = "ready") -> dict[str, Any]:
    ready = status == "ready"
    return {
        "id": dataset_id,
        "name": name,
        "kind": kind,
        "status": status,
        "reason": None,
        "progress": {"entries": 40 if ready else 0, "entries_total": 40, "fraction": 1.0 if ready else 0.0},
        "digest": None,
        "resolution": 64 if ready else None,
        "channels": 3 if ready else None,
        "images": 36 if ready else None,
        "classes": ["cats", "dogs"] if ready else [],
    }


@dataclass
class FakeDatasets:
    rows: dict[str, dict[str, Any]] = field(
        default_factory=lambda: {
            "ds_1": dataset("ds_1", "shoes"),
            "digits": dataset("digits", "digits", kind="builtin"),
        }
    )
    imports: deque[dict[str, Any]] = field(default_factory=deque)
    """Changes to a dataset that is imported, one for each time it is asked for."""

    def answer(self, method: str, path: list[str]) -> tuple[int, Any]:
        """Return the status and the body; a list is answered in pages."""
        match (method, *path):
            case ("GET",):
                return 200, list(self.rows.values())
            case ("POST",):
                self.rows["ds_2"] = dataset("ds_2", "pets", status="importing")
                return 202, self.rows["ds_2"]
            case (_, dataset_id, *_) if dataset_id not in self.rows:
                return 404, f"no dataset {dataset_id}"
            case ("GET", dataset_id):
                found = self.rows[dataset_id]
                if found["status"] == "importing" and self.imports:
                    self.rows[dataset_id] = found | self.imports.popleft()
                return 200, self.rows[dataset_id]
            case ("GET", _, "report"):
                return 200, REPORT
            case ("POST", dataset_id, "cancel"):
                self.rows[dataset_id]["status"] = "failed"
                return 200, self.rows[dataset_id]
            case ("DELETE", dataset_id):
                del self.rows[dataset_id]
                return 204, None
        return 404, "no such path"
