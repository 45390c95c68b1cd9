"""Outcomes of long runs, kept for a day: a benchmark that was interrupted goes on where it stopped."""

import hashlib
import json
import time
from pathlib import Path
from typing import Any

from benchmarks import machine
from store.settings import Settings

SECONDS = 86_400.0


def _file(what: str) -> Path:
    """Return the file of an outcome: that of a run, which `what` describes in full, on this machine."""
    name = hashlib.sha256(f"{what} {machine.this()}".encode()).hexdigest()[:32]
    return Settings().data_dir / "bench" / f"{name}.json"


def find(what: str) -> dict[str, Any] | None:
    """Return the outcome of a run that ended within the last day; None if there is none."""
    file = _file(what)
    if not file.exists() or time.time() - file.stat().st_mtime > SECONDS:
        return None
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def keep(what: str, outcome: dict[str, Any]) -> None:
    file = _file(what)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(outcome))
