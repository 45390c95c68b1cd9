"""docs/extending.md: what it adds by diffs still fits the code, touches the files that it says and trains."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
TWO_STEPS = """
import json, sys
from pathlib import Path

import torch

from models import data, presets, training

torch.set_num_threads(1)
part = {
    "dataset": {"name": "digits"},
    "architecture": {"latent_dim": 8, "generator_widths": [16], "discriminator_widths": [16]},
    "batch_size": 32,
    "budget": {"images": 64, "seconds": None},
    "checkpoint": {"every_images": 10**9},
}
spec = presets.resolve(part | json.loads(sys.argv[1]))
dataset = data.load(spec.dataset, folder=Path("nowhere"))
events = training.train(spec, dataset=dataset, device=torch.device("cpu"))
print(json.dumps({
    "file": training.__file__,
    "loss": spec.loss.kind,
    "architecture": spec.architecture.kind,
    "ticks": [event.values for event in events if isinstance(event, training.Tick)],
}, allow_nan=False))
"""
ADDED: dict[str, tuple[dict[str, Any], list[str]]] = {
    "loss": ({"loss": {"kind": "relativistic_least_squares"}}, ["models/losses.py", "models/specs/losses.py"]),
    "architecture": (
        {"architecture": {"kind": "residual_mlp", "width": 16}, "labels": True},
        [
            "models/architectures/__init__.py",
            "models/architectures/residual_mlp.py",
            "models/specs/__init__.py",
            "models/specs/architectures.py",
        ],
    ),
}
"""For each of the page's diffs, in order: the part of a spec that it adds, and the files that it touches."""


def diffs() -> dict[str, str]:
    found = re.findall(r"^```diff\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return dict(zip(ADDED, found, strict=True))


@pytest.mark.parametrize("what", ADDED)
def test_diff_of_the_page_touches_these_files_alone(what: str) -> None:
    assert re.findall(r"^\+\+\+ b/(\S+)", diffs()[what], re.MULTILINE) == ADDED[what][1]


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git to apply the diff")
@pytest.mark.parametrize("what", ADDED)
def test_what_the_page_adds_trains_two_steps_when_its_diff_is_applied(tmp_path: Path, what: str) -> None:
    shutil.copytree(ROOT / "models", tmp_path / "models", ignore=shutil.ignore_patterns("__pycache__"))
    alone = os.environ | {"GIT_CEILING_DIRECTORIES": str(tmp_path.parent)}
    applied = subprocess.run(
        ["git", "apply", "-"], cwd=tmp_path, env=alone, input=diffs()[what], capture_output=True, text=True, check=False
    )
    assert applied.returncode == 0, f"the diff no longer fits:\n{applied.stderr}"
    wish, _ = ADDED[what]
    found = _two_steps(tmp_path, wish)
    assert Path(found["file"]) == tmp_path / "models" / "training" / "__init__.py"
    assert found[what] == wish[what]["kind"]
    assert len(found["ticks"]) == 2
    assert all("loss_d" in tick and "loss_g" in tick for tick in found["ticks"])


def test_every_name_that_the_page_looks_for_in_a_file_is_there() -> None:
    named = re.findall(r"`(\w+)`(?: in| of|,)\s\[[^]]*\]\(\.\./([^)]+\.py)\)", PAGE)
    assert len(named) > 10
    files = {path: (ROOT / path).read_text(encoding="utf-8") for _, path in named}
    missing = [f"{name} in {path}" for name, path in named if not re.search(rf"\b{name}\b", files[path])]
    assert not missing


def _two_steps(folder: Path, wish: dict[str, Any]) -> dict[str, Any]:
    """Return what the copy of the library in a folder reports. Figures that are not finite are no JSON."""
    environment = os.environ | {"PYTHONPATH": str(folder)}
    command = [sys.executable, "-c", TWO_STEPS, json.dumps(wish)]
    run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    found: dict[str, Any] = json.loads(run.stdout)
    return found
