"""docs/extending.md: the loss that it adds by a diff still fits the code, touches two files and trains."""

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
KIND = "relativistic_least_squares"
TWO_STEPS = """
import json, sys
from pathlib import Path
from typing import get_args

import torch

from models import data, losses, presets, training
from models.specs.losses import Loss

torch.set_num_threads(1)
spec = presets.resolve({
    "dataset": {"name": "digits"},
    "loss": {"kind": sys.argv[1]},
    "architecture": {"latent_dim": 8, "generator_widths": [16], "discriminator_widths": [16]},
    "batch_size": 32,
    "budget": {"images": 64, "seconds": None},
    "checkpoint": {"every_images": 10**9},
})
dataset = data.load(spec.dataset, folder=Path("nowhere"))
events = training.train(spec, dataset=dataset, device=torch.device("cpu"))
print(json.dumps({
    "file": losses.__file__,
    "union": [member.model_fields["kind"].default for member in get_args(get_args(Loss)[0])],
    "registry": list(losses.REGISTRY),
    "trained": spec.loss.kind,
    "ticks": [event.values for event in events if isinstance(event, training.Tick)],
}, allow_nan=False))
"""


def diff() -> str:
    (found,) = re.findall(r"^```diff\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return str(found)


def test_diff_of_the_page_touches_the_files_of_the_losses_alone() -> None:
    touched = re.findall(r"^\+\+\+ b/(\S+)", diff(), re.MULTILINE)
    assert touched == ["models/losses.py", "models/specs/losses.py"]


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git to apply the diff")
def test_loss_of_the_page_trains_two_steps_when_its_diff_is_applied(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "models", tmp_path / "models", ignore=shutil.ignore_patterns("__pycache__"))
    alone = os.environ | {"GIT_CEILING_DIRECTORIES": str(tmp_path.parent)}
    applied = subprocess.run(
        ["git", "apply", "-"], cwd=tmp_path, env=alone, input=diff(), capture_output=True, text=True, check=False
    )
    assert applied.returncode == 0, f"the diff no longer fits models/losses.py:\n{applied.stderr}"
    found = _two_steps(tmp_path)
    assert Path(found["file"]) == tmp_path / "models" / "losses.py"
    assert set(found["union"]) == {*found["registry"], "elbo"}
    assert found["trained"] == KIND in found["registry"]
    assert len(found["ticks"]) == 2
    assert all("loss_d" in tick and "loss_g" in tick for tick in found["ticks"])


def test_every_name_that_the_page_looks_for_in_a_file_is_there() -> None:
    named = re.findall(r"`(\w+)`(?: in| of|,)\s\[[^]]*\]\(\.\./([^)]+\.py)\)", PAGE)
    assert len(named) > 10
    files = {path: (ROOT / path).read_text(encoding="utf-8") for _, path in named}
    missing = [f"{name} in {path}" for name, path in named if not re.search(rf"\b{name}\b", files[path])]
    assert not missing


def _two_steps(folder: Path) -> dict[str, Any]:
    """Return what the copy of the library in a folder reports. Figures that are not finite are no JSON."""
    environment = os.environ | {"PYTHONPATH": str(folder)}
    command = [sys.executable, "-c", TWO_STEPS, KIND]
    run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    found: dict[str, Any] = json.loads(run.stdout)
    return found
