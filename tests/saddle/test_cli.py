"""The command `saddle`: its output, its requests and its exit codes."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.saddle.conftest import Command

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
def test_wrong_command_line_sends_nothing(command: Command, saddle: Any, arguments: list[str], message: str) -> None:
    result = command(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not saddle.requests


# Looking


def test_list_shows_whole_ids_where_the_output_is_no_terminal(command: Command, saddle: Any) -> None:
    saddle.add_job("failed", name="[red]shoes[/red] " * 5)
    saddle.add_job("running")
    lines = command("list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["id", "job_0001", "job_0000"]
    assert "[red]shoes[/red] " * 4 in lines[2]
    assert "FID 8.432  precision 0.82" in lines[1]
    assert [job["id"] for job in json.loads(command("list", "--status", "failed", "--json").stdout)] == ["job_0000"]


def test_show_is_yaml_or_json(command: Command, saddle: Any) -> None:
    job_id = saddle.add_job()
    assert yaml.safe_load(command("show", job_id).stdout)["spec"]["batch_size"] == 128
    assert json.loads(command("show", job_id, "--json").stdout)["a_field_of_tomorrow"] is True


def test_logs_leave_the_ticks_out_unless_asked(command: Command, saddle: Any) -> None:
    job_id = saddle.add_run()
    saddle.add_event(
        job_id,
        "guard",
        900,
        detector="non_finite",
        remedy="roll_back",
        details={"back_to_images": 400.0, "learning_rate_factor": 0.5},
    )
    saddle.add_event(job_id, "log", 900, message="resumes at 400 images on cpu")
    text = command("logs", job_id).stdout
    assert "metrics" not in text
    assert "detector non_finite  remedy roll_back  details (back_to_images 400  learning_rate_factor 0.5)" in text
    assert "resumes at 400 images on cpu" in text
    everything = command("logs", job_id, "--all", "--json").stdout.splitlines()
    assert [json.loads(line)["id"] for line in everything] == list(range(1, 10))


def test_followed_logs_end_with_the_job(command: Command, saddle: Any) -> None:
    lines = command("logs", saddle.add_run(), "--follow").stdout.splitlines()
    assert len(lines) == 4
    assert "succeeded" in lines[-1]


def test_figures_are_listed(command: Command) -> None:
    lines = command("figures").stdout.splitlines()
    assert lines[-1].split() == ["fid", "FID", "-", "lower", "fid", "To", "be", "told."]
    assert [figure["name"] for figure in json.loads(command("figures", "--json").stdout)] == ["loss_g", "loss_d", "fid"]


def test_older_service_without_figures_is_shown_by_names(command: Command, saddle: Any) -> None:
    job_id = saddle.add_run()
    saddle.answer_next(404)
    assert "fid 6.125" in command("logs", job_id).stdout


def test_presets_tell_their_purpose(command: Command) -> None:
    assert command("presets").stdout == "robust\n    The default.\n"
    assert json.loads(command("presets", "--json").stdout)[0]["spec"] == {"batch_size": 128}


# Acting


def test_cancel_and_delete(command: Command, saddle: Any) -> None:
    job_id = saddle.add_job()
    assert command("cancel", job_id).stdout == f"{job_id} cancelling\n"
    ended = saddle.add_job("failed")
    assert command("delete", ended).stdout == f"{ended} deleted\n"
    assert ended not in saddle.jobs


def test_pause_resume_and_retry_tell_the_new_state(command: Command, saddle: Any) -> None:
    for name, before, after in (
        ("pause", "running", "pausing"),
        ("resume", "paused", "queued"),
        ("retry", "failed", "queued"),
    ):
        job_id = saddle.add_job(before)
        assert command(name, job_id).stdout == f"{job_id} {after}\n"
        assert saddle.jobs[job_id]["status"] == after


@pytest.mark.parametrize("name", ["cancel", "pause", "resume", "retry"])
def test_what_the_state_does_not_allow_is_refused(command: Command, saddle: Any, name: str) -> None:
    result = command(name, saddle.add_job("succeeded"))
    assert result.exit_code == 3
    assert result.stdout == ""
    assert "409 Conflict: job_0000 is succeeded" in result.stderr


def test_pin_and_unpin_a_checkpoint(command: Command, saddle: Any) -> None:
    job_id = saddle.add_job()
    assert command("pin", job_id, "ckpt_2").stdout == "ckpt_2 pinned\n"
    assert saddle.pinned == {"ckpt_2"}
    assert command("unpin", job_id, "ckpt_2").stdout == "ckpt_2 unpinned\n"
    assert saddle.pinned == set()


@pytest.mark.parametrize(
    ("name", "start"), [("grid.png", b"\x89PNG"), ("s.npz", b"npz of 16"), ("s.ZIP", b"zip of 16")]
)
def test_sample_writes_what_the_suffix_says(
    command: Command, saddle: Any, tmp_path: Path, name: str, start: bytes
) -> None:
    result = command("sample", saddle.add_job(), "-o", str(tmp_path / name), "--count", "16", "--seed", "5")
    assert result.exit_code == 0, result.output
    assert (tmp_path / name).read_bytes().startswith(start)
    assert saddle.requests[-1].query["seed"] == "5"


def test_sample_into_no_folder_is_told(command: Command, saddle: Any, tmp_path: Path) -> None:
    result = command("sample", saddle.add_job(), "-o", str(tmp_path / "absent" / "grid.png"))
    assert result.exit_code == 2
    assert "No such file or directory" in result.stderr
    assert "Traceback" not in result.output


# What goes wrong


def test_unknown_job_is_told(command: Command) -> None:
    for name in ("show", "watch", "cancel", "delete", "logs", "pause", "resume", "retry", "fork"):
        result = command(name, "job_9")
        assert result.exit_code == 3
        assert result.stderr == "404 Not Found: no job job_9\n"


def test_wrong_key_is_told_with_where_it_came_from(command: Command, tmp_path: Path) -> None:
    result = command("list", SADDLE_API_KEY="wrong")
    assert result.exit_code == 3
    assert "401 Unauthorized" in result.stderr
    assert "SADDLE_API_KEY is not one that this service knows" in result.stderr
    assert f"there is none in {tmp_path / 'api-key'}" in command("list", SADDLE_API_KEY=None).stderr
    (tmp_path / "api-key").write_text("wrong")
    assert f"The key in {tmp_path / 'api-key'} is not" in command("list", SADDLE_API_KEY=None).stderr


def test_no_service_is_told_with_the_remedy(command: Command) -> None:
    result = command("list", SADDLE_URL="http://127.0.0.1:1")
    assert result.exit_code == 4
    assert result.stderr.startswith("nothing answers at http://127.0.0.1:1")
    assert "make serve" in result.stderr


def test_wrong_environment_is_told(command: Command) -> None:
    result = command("list", SADDLE_URL="localhost:8000")
    assert result.exit_code == 2
    assert "SADDLE_URL" in result.stderr
