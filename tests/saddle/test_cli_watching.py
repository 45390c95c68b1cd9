"""`saddle watch`, and the bar of a job that is watched."""

import io
from typing import Any

import pytest
from rich.console import Console

from saddle import progress
from saddle.client import Client
from saddle.commands import terminal
from tests.saddle.conftest import Command


@pytest.mark.parametrize(("status", "code"), [("succeeded", 0), ("failed", 1), ("diverged", 1), ("cancelled", 2)])
def test_watch_exits_with_what_became_of_the_job(command: Command, saddle: Any, status: str, code: int) -> None:
    job_id = saddle.add_run(status)
    result = command("watch", job_id)
    assert result.exit_code == code
    assert f"{job_id} {status} after 500 images in 2:05" in result.stderr
    assert "FID 8.432" in result.stderr


def test_submit_can_watch(command: Command, saddle: Any) -> None:
    saddle.first_answers["mine"] = ({}, saddle.add_run("succeeded"))
    result = command("submit", "--idempotency-key", "mine", "--watch")
    assert result.stdout == "job_0000\n"
    assert "succeeded" in result.stderr
    assert result.exit_code == 0


def test_a_paused_job_is_watched_until_it_has_gone_on_to_its_end(command: Command, saddle: Any) -> None:
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


def test_a_job_that_was_tried_again_is_watched_past_its_first_end(command: Command, saddle: Any) -> None:
    job_id = saddle.add_run("failed")
    saddle.jobs[job_id]["status"] = "succeeded"
    saddle.add_event(job_id, "state", 1000, status="queued", previous="failed", reason=None, attempt=1)
    saddle.add_event(job_id, "state", 1000, status="succeeded", previous="running", reason=None, attempt=2)
    result = command("watch", job_id)
    assert "succeeded, attempt 2" in result.stderr
    assert result.exit_code == 0


def test_the_bar_of_a_paused_job_says_so(client: Client, saddle: Any) -> None:
    view = progress.View(client.job(saddle.add_job("paused")), {})
    out = io.StringIO()
    Console(file=out, force_terminal=True, width=80).print(view)
    assert "paused" in out.getvalue()


def test_interrupted_watch_tells_that_the_job_is_left_as_it_is(
    command: Command, saddle: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(progress, "watch", interrupted)
    result = command("watch", saddle.add_run())
    assert result.exit_code == 130
    assert result.stderr.startswith("only the watching has ended: `saddle watch job_0000` returns to it")


def watched(client: Client, job_id: str, *, on_terminal: bool) -> str:
    ticking = iter(range(10_000))
    out = io.StringIO()
    console = Console(file=out, force_terminal=on_terminal, width=80, legacy_windows=False)
    titles = terminal.titles(client)
    progress.watch(client, job_id, titles=titles, console=console, clock=lambda: float(next(ticking)))
    return out.getvalue()


def test_watch_draws_a_bar_on_a_terminal(client: Client, saddle: Any) -> None:
    text = watched(client, saddle.add_run(), on_terminal=True)
    for expected in (
        "━━━",
        "100%",
        "1,000 images",
        "9,800 images/s",
        "ETA 0:05",
        "generator loss 0.7",
        "critic loss 1.25",
        "FID 6.125",
    ):
        assert expected in text


def test_watch_writes_few_lines_elsewhere(client: Client, saddle: Any) -> None:
    text = watched(client, saddle.add_run(ticks=500), on_terminal=False)
    ticks = [line for line in text.splitlines() if " metrics " in line]
    assert 5 <= len(ticks) <= 20
    assert "succeeded, attempt 1 (completed: the images of the budget are used up)" in text
    assert "\x1b" not in text


def test_bar_of_a_budget_of_seconds_comes_from_the_service(saddle: Any, client: Client) -> None:
    job_id = saddle.add_job()
    saddle.jobs[job_id]["progress"] |= {"images_total": None, "fraction": 0.25}
    view = progress.View(client.job(job_id), {})
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
