"""The command `saddle`: what it prints, sends and exits with."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console
from typer.testing import CliRunner, Result

from client import progress
from client.cli import app
from client.client import Client

KEY = "key-of-the-tests"


class Saddle:
    """Runs the command as a shell would."""

    def __init__(self, url: str, folder: Path) -> None:
        self.environment: dict[str, str | None] = {
            "SADDLE_URL": url,
            "SADDLE_API_KEY": KEY,
            "SADDLE_DATA_DIR": str(folder),
            "COLUMNS": "80",
        }

    def __call__(self, *arguments: str, **environment: str | None) -> Result:
        return CliRunner().invoke(app, arguments, env=self.environment | environment, catch_exceptions=False)


@pytest.fixture
def command(saddle: Any, tmp_path: Path) -> Saddle:
    return Saddle(saddle.url, tmp_path)


# Submitting


def test_submit_prints_the_id_alone(command: Saddle, saddle: Any) -> None:
    result = command("submit")
    assert result.stdout == "job_0000\n"
    assert result.exit_code == 0
    assert saddle.requests[-1].body == {}


def test_flags_override_the_file_and_settings_override_both(command: Saddle, saddle: Any, tmp_path: Path) -> None:
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


def test_submit_as_json_is_the_job(command: Saddle) -> None:
    assert json.loads(command("submit", "--json").stdout)["id"] == "job_0000"


def test_dry_run_prints_the_estimate_and_warns(command: Saddle, saddle: Any) -> None:
    result = command("submit", "--dry-run", "--seed", "4")
    assert json.loads(result.stdout)["spec"] == {"seed": 4}
    assert result.stderr == "warning: slow\n"
    assert not saddle.jobs


def test_refused_spec_lists_its_errors(command: Saddle) -> None:
    result = command("submit", "--set", "batch_size=1")
    assert result.exit_code == 3
    assert result.stdout == ""
    assert result.stderr == "422 Unprocessable Content\n  /batch_size: must be at least 2\n"


# Forking


def test_fork_prints_the_new_id_alone_and_changes_nothing_by_itself(command: Saddle, saddle: Any) -> None:
    result = command("fork", saddle.add_job())
    assert (result.exit_code, result.stdout) == (0, "job_0001\n")
    assert saddle.requests[-1].path == "/v1/jobs/job_0000/fork"
    assert saddle.requests[-1].body == {"checkpoint": "latest", "spec": {}}


def test_fork_lays_flags_over_the_file_and_settings_over_both(command: Saddle, saddle: Any, tmp_path: Path) -> None:
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


def test_fork_as_json_is_the_new_job(command: Saddle, saddle: Any) -> None:
    told = json.loads(command("fork", saddle.add_job(), "--json").stdout)
    assert told["id"] == "job_0001"
    assert told["forked_from"] == {"job": "job_0000", "checkpoint": "ckpt_1"}


def test_fork_can_watch_the_new_job(command: Saddle, saddle: Any) -> None:
    parent, fork = saddle.add_job(), saddle.add_run("diverged")
    saddle.first_answers["mine"] = ({"checkpoint": "latest", "spec": {}}, fork)
    result = command("fork", parent, "--idempotency-key", "mine", "--watch")
    assert result.stdout == f"{fork}\n"
    assert f"{fork} diverged" in result.stderr
    assert result.exit_code == 1


# What is not sent


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["submit", "absent.yaml"], "cannot read the spec in absent.yaml"),
        (["fork"], "JOB"),
        (["fork", "job_1", "absent.yaml"], "cannot read the spec in absent.yaml"),
        (["fork", "job_1", "--preset", "fast"], "--preset"),
        (["pin", "job_1"], "CHECKPOINT"),
        (["pin", "job_1", ".."], "is no id"),
        (["submit", "--set", "batch_size"], "key.path=value"),
        (["submit", "--seconds", "nan"], "cannot be sent"),
        (["submit", "--idempotency-key", "schlüssel"], "cannot be sent"),
        (["show", ".."], "is no id"),
        (["sample", "job_1", "-o", "grid.jpg"], "must end in .png, .npz or .zip"),
        (["list", "--limit", "0"], "limit"),
        (["ride"], "ride"),
    ],
)
def test_wrong_command_line_sends_nothing(command: Saddle, saddle: Any, arguments: list[str], message: str) -> None:
    result = command(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not saddle.requests


# Watching


@pytest.mark.parametrize(("status", "code"), [("succeeded", 0), ("failed", 1), ("diverged", 1), ("cancelled", 2)])
def test_watch_exits_with_what_became_of_the_job(command: Saddle, saddle: Any, status: str, code: int) -> None:
    job_id = saddle.add_run(status)
    result = command("watch", job_id)
    assert result.exit_code == code
    assert f"{job_id} {status} after 500 images in 2:05" in result.stderr
    assert "fid 8.432" in result.stderr


def test_submit_can_watch(command: Saddle, saddle: Any) -> None:
    saddle.first_answers["mine"] = ({}, saddle.add_run("succeeded"))
    result = command("submit", "--idempotency-key", "mine", "--watch")
    assert result.stdout == "job_0000\n"
    assert "succeeded" in result.stderr
    assert result.exit_code == 0


def test_a_paused_job_is_watched_until_it_has_gone_on_to_its_end(command: Saddle, saddle: Any) -> None:
    job_id = saddle.add_job("succeeded")
    paused = {"code": "paused", "message": "paused by the client"}
    saddle.add_event(job_id, "state", 100, status="running", previous="queued", reason=None, attempt=1)
    saddle.add_event(job_id, "state", 200, status="paused", previous="pausing", reason=paused, attempt=1)
    resumed = {"code": "resumed", "message": "resumed by the client"}
    saddle.add_event(job_id, "state", 200, status="queued", previous="paused", reason=resumed, attempt=1)
    saddle.add_event(job_id, "state", 900, status="succeeded", previous="running", reason=None, attempt=2)
    saddle.close_after.append(2)  # a pause longer than the connection
    result = command("watch", job_id)
    assert "paused, attempt 1 (paused: paused by the client)" in result.stderr
    assert "queued, attempt 1 (resumed: resumed by the client)" in result.stderr
    assert f"{job_id} succeeded after" in result.stderr
    assert result.exit_code == 0


def test_a_job_that_was_tried_again_is_watched_past_its_first_end(command: Saddle, saddle: Any) -> None:
    job_id = saddle.add_run("failed")
    saddle.jobs[job_id]["status"] = "succeeded"
    saddle.add_event(job_id, "state", 1000, status="queued", previous="failed", reason=None, attempt=1)
    saddle.add_event(job_id, "state", 1000, status="succeeded", previous="running", reason=None, attempt=2)
    result = command("watch", job_id)
    assert "succeeded, attempt 2" in result.stderr
    assert result.exit_code == 0


def test_the_bar_of_a_paused_job_says_so(client: Client, saddle: Any) -> None:
    view = progress.View(client.job(saddle.add_job("paused")))
    out = io.StringIO()
    Console(file=out, force_terminal=True, width=80).print(view)
    assert "paused" in out.getvalue()


def test_interrupted_watch_tells_that_the_job_is_left_as_it_is(
    command: Saddle, saddle: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(progress, "watch", interrupted)
    result = command("watch", saddle.add_run())
    assert result.exit_code == 130
    assert result.stderr.startswith("only the watching has ended: `saddle watch job_0000` returns to it")


def watched(client: Client, job_id: str, *, terminal: bool) -> str:
    ticking = iter(range(10_000))
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=80, legacy_windows=False)
    progress.watch(client, job_id, console=console, clock=lambda: float(next(ticking)))
    return out.getvalue()


def test_watch_draws_a_bar_on_a_terminal(client: Client, saddle: Any) -> None:
    text = watched(client, saddle.add_run(), terminal=True)
    for expected in (
        "━━━",
        "100%",
        "1,000 images",
        "9,800 images/s",
        "ETA 0:05",
        "loss G 0.7",
        "loss D 1.25",
        "fid 6.125",
    ):
        assert expected in text


def test_watch_writes_few_lines_elsewhere(client: Client, saddle: Any) -> None:
    text = watched(client, saddle.add_run(ticks=500), terminal=False)
    ticks = [line for line in text.splitlines() if " metrics " in line]
    assert 5 <= len(ticks) <= 20
    assert "succeeded, attempt 1 (completed: the images of the budget are used up)" in text
    assert "\x1b" not in text


def test_bar_of_a_budget_of_seconds_comes_from_the_service(saddle: Any, client: Client) -> None:
    job_id = saddle.add_job()
    saddle.jobs[job_id]["progress"] |= {"images_total": None, "fraction": 0.25}
    view = progress.View(client.job(job_id))
    assert view.fraction == 0.25


def test_watch_outlives_an_outage_of_the_refresh(client: Client, saddle: Any) -> None:
    job_id = saddle.add_run()
    job = client.job(job_id)
    for _ in range(4):
        saddle.answer_next(0)
    assert progress._refreshed(client, job) is job
    for _ in range(4):
        saddle.answer_next(503)
    assert progress._refreshed(client, job) is job


# Looking


def test_list_shows_whole_ids_where_the_output_is_no_terminal(command: Saddle, saddle: Any) -> None:
    saddle.add_job("failed", name="[red]shoes[/red] " * 5)
    saddle.add_job("running")
    lines = command("list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["id", "job_0001", "job_0000"]
    assert "[red]shoes[/red] " * 4 in lines[2]
    assert "fid 8.432  precision 0.82" in lines[1]
    assert [job["id"] for job in json.loads(command("list", "--status", "failed", "--json").stdout)] == ["job_0000"]


def test_show_is_yaml_or_json(command: Saddle, saddle: Any) -> None:
    job_id = saddle.add_job()
    assert yaml.safe_load(command("show", job_id).stdout)["spec"]["batch_size"] == 128
    assert json.loads(command("show", job_id, "--json").stdout)["a_field_of_tomorrow"] is True


def test_logs_leave_the_ticks_out_unless_asked(command: Saddle, saddle: Any) -> None:
    job_id = saddle.add_run()
    saddle.add_event(job_id, "guard", 900, detector="non_finite", remedy="rollback", details={"to_images": 400})
    saddle.add_event(job_id, "log", 900, message="resumes at 400 images on cpu")
    text = command("logs", job_id).stdout
    assert "metrics" not in text
    assert "detector non_finite  remedy rollback  details (to_images 400)" in text
    assert "resumes at 400 images on cpu" in text
    everything = command("logs", job_id, "--all", "--json").stdout.splitlines()
    assert [json.loads(line)["id"] for line in everything] == list(range(1, 10))


def test_followed_logs_end_with_the_job(command: Saddle, saddle: Any) -> None:
    lines = command("logs", saddle.add_run(), "--follow").stdout.splitlines()
    assert len(lines) == 4
    assert "succeeded" in lines[-1]


def test_presets_tell_their_purpose(command: Saddle) -> None:
    assert command("presets").stdout == "robust\n    The default.\n"
    assert json.loads(command("presets", "--json").stdout)[0]["spec"] == {"batch_size": 128}


# Acting


def test_cancel_and_delete(command: Saddle, saddle: Any) -> None:
    job_id = saddle.add_job()
    assert command("cancel", job_id).stdout == f"{job_id} cancelling\n"
    ended = saddle.add_job("failed")
    assert command("delete", ended).stdout == f"{ended} deleted\n"
    assert ended not in saddle.jobs


def test_pause_resume_and_retry_tell_the_new_state(command: Saddle, saddle: Any) -> None:
    for name, before, after in (
        ("pause", "running", "pausing"),
        ("resume", "paused", "queued"),
        ("retry", "failed", "queued"),
    ):
        job_id = saddle.add_job(before)
        assert command(name, job_id).stdout == f"{job_id} {after}\n"
        assert saddle.jobs[job_id]["status"] == after


@pytest.mark.parametrize("name", ["cancel", "pause", "resume", "retry"])
def test_what_the_state_does_not_allow_is_refused(command: Saddle, saddle: Any, name: str) -> None:
    result = command(name, saddle.add_job("succeeded"))
    assert result.exit_code == 3
    assert result.stdout == ""
    assert "409 Conflict: job_0000 is succeeded" in result.stderr


def test_pin_and_unpin_a_checkpoint(command: Saddle, saddle: Any) -> None:
    job_id = saddle.add_job()
    assert command("pin", job_id, "ckpt_2").stdout == "ckpt_2 pinned\n"
    assert saddle.pinned == {"ckpt_2"}
    assert command("unpin", job_id, "ckpt_2").stdout == "ckpt_2 unpinned\n"
    assert saddle.pinned == set()


@pytest.mark.parametrize(
    ("name", "start"), [("grid.png", b"\x89PNG"), ("s.npz", b"npz of 16"), ("s.ZIP", b"zip of 16")]
)
def test_sample_writes_what_the_suffix_says(
    command: Saddle, saddle: Any, tmp_path: Path, name: str, start: bytes
) -> None:
    result = command("sample", saddle.add_job(), "-o", str(tmp_path / name), "--count", "16", "--seed", "5")
    assert result.exit_code == 0, result.output
    assert (tmp_path / name).read_bytes().startswith(start)
    assert saddle.requests[-1].query["seed"] == "5"


def test_sample_into_no_folder_is_told(command: Saddle, saddle: Any, tmp_path: Path) -> None:
    result = command("sample", saddle.add_job(), "-o", str(tmp_path / "absent" / "grid.png"))
    assert result.exit_code == 2
    assert "No such file or directory" in result.stderr
    assert "Traceback" not in result.output


# What goes wrong


def test_unknown_job_is_told(command: Saddle) -> None:
    for name in ("show", "watch", "cancel", "delete", "logs", "pause", "resume", "retry", "fork"):
        result = command(name, "job_9")
        assert result.exit_code == 3
        assert result.stderr == "404 Not Found: no job job_9\n"


def test_wrong_key_is_told_with_where_it_came_from(command: Saddle, tmp_path: Path) -> None:
    result = command("list", SADDLE_API_KEY="wrong")
    assert result.exit_code == 3
    assert "401 Unauthorized" in result.stderr
    assert "SADDLE_API_KEY is not one that this service knows" in result.stderr
    assert f"there is none in {tmp_path / 'api-key'}" in command("list", SADDLE_API_KEY=None).stderr
    (tmp_path / "api-key").write_text("wrong")
    assert f"The key in {tmp_path / 'api-key'} is not" in command("list", SADDLE_API_KEY=None).stderr


def test_no_service_is_told_with_the_remedy(command: Saddle) -> None:
    result = command("list", SADDLE_URL="http://127.0.0.1:1")
    assert result.exit_code == 4
    assert result.stderr.startswith("nothing answers at http://127.0.0.1:1")
    assert "make serve" in result.stderr


def test_wrong_environment_is_told(command: Saddle) -> None:
    result = command("list", SADDLE_URL="localhost:8000")
    assert result.exit_code == 2
    assert "SADDLE_URL" in result.stderr
