"""`saddle submit` and `saddle fork`: their requests, output and exit codes."""

import json
from pathlib import Path
from typing import Any

from tests.saddle.conftest import Command

# Submitting


def test_submit_prints_the_id_alone(command: Command, saddle: Any) -> None:
    result = command("submit")
    assert result.stdout == "job_0000\n"
    assert result.exit_code == 0
    assert saddle.requests[-1].body == {}


def test_flags_override_the_file_and_settings_override_both(command: Command, saddle: Any, tmp_path: Path) -> None:
    file = tmp_path / "spec.yaml"
    file.write_text("preset: article\nseed: 1\nguard: {kind: off}\nbudget: {images: 10}\nmetadata: {a: b}\n")
    result = command(
        *("submit", str(file), "--seed", "2", "--seconds", "60", "--dataset", "digits", "--name", "shoes"),
        *("--set", "seed=3", "--set", "loss.kind=minimax", "--metadata", "team=vision"),
        *("--idempotency-key", "mine"),
    )
    assert result.exit_code == 0, result.output
    assert saddle.requests[-1].body == {
        "preset": "article",
        "seed": 3,
        "guard": {"kind": "off"},
        "budget": {"images": 10, "seconds": 60.0},
        "metadata": {"a": "b", "team": "vision"},
        "dataset": {"kind": "builtin", "name": "digits"},
        "name": "shoes",
        "loss": {"kind": "minimax"},
    }
    assert saddle.requests[-1].headers["Idempotency-Key"] == "mine"


def test_submit_as_json_is_the_job(command: Command) -> None:
    assert json.loads(command("submit", "--json").stdout)["id"] == "job_0000"


def test_dry_run_prints_the_estimate_and_warns(command: Command, saddle: Any) -> None:
    result = command("submit", "--dry-run", "--seed", "4")
    assert json.loads(result.stdout)["spec"] == {"seed": 4}
    assert result.stderr == "warning: slow\n"
    assert not saddle.jobs


def test_refused_spec_lists_its_errors(command: Command) -> None:
    result = command("submit", "--set", "batch_size=1")
    assert result.exit_code == 3
    assert result.stdout == ""
    assert result.stderr == "422 Unprocessable Content\n  /batch_size: must be at least 2\n"


# Forking


def test_fork_prints_the_new_id_alone_and_changes_nothing_by_itself(command: Command, saddle: Any) -> None:
    result = command("fork", saddle.add_job())
    assert (result.exit_code, result.stdout) == (0, "job_0001\n")
    assert saddle.requests[-1].path == "/v1/jobs/job_0000/fork"
    assert saddle.requests[-1].body == {"checkpoint": "latest", "spec": {}}


def test_fork_lays_flags_over_the_file_and_settings_over_both(command: Command, saddle: Any, tmp_path: Path) -> None:
    file = tmp_path / "changes.yaml"
    file.write_text("seed: 1\nguard: {kind: off}\nbudget: {images: 10}\n")
    result = command(
        *("fork", saddle.add_job(), str(file), "--checkpoint", "best", "--name", "gentler", "--images", "20"),
        *("--seconds", "60", "--seed", "2", "--set", "seed=3", "--set", "generator_optimizer.lr=0.0005"),
        *("--idempotency-key", "mine"),
    )
    assert result.exit_code == 0, result.output
    assert saddle.requests[-1].body == {
        "checkpoint": "best",
        "spec": {
            "seed": 3,
            "guard": {"kind": "off"},
            "budget": {"images": 20, "seconds": 60.0},
            "name": "gentler",
            "generator_optimizer": {"lr": 0.0005},
        },
    }
    assert saddle.requests[-1].headers["Idempotency-Key"] == "mine"


def test_fork_as_json_is_the_new_job(command: Command, saddle: Any) -> None:
    told = json.loads(command("fork", saddle.add_job(), "--json").stdout)
    assert told["id"] == "job_0001"
    assert told["forked_from"] == {"job": "job_0000", "checkpoint": "ckpt_1"}


def test_fork_can_watch_the_new_job(command: Command, saddle: Any) -> None:
    parent, fork = saddle.add_job(), saddle.add_run("diverged")
    saddle.first_answers["mine"] = ({"checkpoint": "latest", "spec": {}}, fork)
    result = command("fork", parent, "--idempotency-key", "mine", "--watch")
    assert result.stdout == f"{fork}\n"
    assert f"{fork} diverged" in result.stderr
    assert result.exit_code == 1
