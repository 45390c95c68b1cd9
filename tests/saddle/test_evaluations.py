"""Evaluations by the client and by the command, against a fake service."""

import json

import pytest

from saddle.errors import InvalidRequest
from tests.saddle.fake_evaluations import NEAREST, PROTOCOL


@pytest.fixture
def jobs(saddle):
    return [saddle.add_job("succeeded") for _ in range(2)]


def test_a_wish_is_sent_once_however_often_it_is_repeated(client, saddle, jobs, waits):
    saddle.answer_next(0)
    made = client.evaluations.create(job=jobs[0], metrics=["kid"], protocol={"samples": 2_000})
    assert (made.id, made.status, made.figures) == ("eval_0", "queued", None)
    assert saddle.requests[-1].body == {"job": jobs[0], "metrics": ["kid"], "protocol": {"samples": 2_000}}
    assert len({request.headers["Idempotency-Key"] for request in saddle.requests}) == 1
    assert len(waits) == 1


def test_wait_shows_every_reading_until_the_end(client, saddle, jobs, waits):
    made = client.evaluations.create(checkpoint="ckpt_7")
    saddle.evaluations.ends.extend([{"status": "running"}, {"status": "running"}])
    seen = []
    found = client.evaluations.wait(made.id, seen=lambda each: seen.append(each.status))
    assert seen == ["running", "running", "succeeded"]
    assert len(waits) == 2
    assert found.checkpoint == "ckpt_7"
    assert found.figures["kid"].interval == (0.011, 0.014)


def test_all_evaluations_are_listed_over_several_pages(client, saddle, jobs, monkeypatch):
    monkeypatch.setattr("saddle.evaluations.LARGEST_PAGE", 2)
    made = [client.evaluations.create(job=jobs[place % 2]).id for place in range(5)]
    assert [found.id for found in client.evaluations.list()] == made[::-1]
    assert [found.id for found in client.evaluations.list(job=jobs[1])] == [made[3], made[1]]


def test_what_is_no_id_is_never_asked_for(client, saddle):
    with pytest.raises(InvalidRequest):
        client.evaluations.get("..")
    assert not saddle.requests


def test_evaluate_prints_figures_intervals_and_the_protocol(command, saddle, jobs):
    result = command("evaluate", jobs[0], "--metric", "kid", "--metric", "fid", "--samples", "10000", "--seed", "3")
    assert result.exit_code == 0, result.output
    body = next(request.body for request in saddle.requests if request.method == "POST")
    assert body == {"job": jobs[0], "metrics": ["kid", "fid"], "protocol": {"samples": 10_000, "seed": 3}}
    rows = {line.split()[0]: line.split()[1:] for line in result.stdout.splitlines() if line.strip()}
    assert rows["kid"] == ["0.0125", "0.011", "to", "0.014"]
    assert rows["FID"][:3] == ["(10,000", "samples)", "6.5"]
    assert "10,000 samples, seed 0, against 400 images of shoes (holdout) in the features of imagenet" in result.stdout
    assert "precision_recall cannot be measured: 60 real images are too few" in result.stderr


def test_evaluate_of_a_checkpoint_as_json(command, saddle):
    result = command("evaluate", "ckpt_7", "--json")
    assert (result.exit_code, json.loads(result.stdout)["protocol"]) == (0, PROTOCOL)
    assert saddle.requests[1].body["checkpoint"] == "ckpt_7" or saddle.requests[0].body["checkpoint"] == "ckpt_7"


def test_the_nearest_pairs_are_written_where_memorisation_is_measured(command, saddle, jobs, tmp_path):
    picture = tmp_path / "pairs.png"
    result = command("evaluate", jobs[0], "--nearest", str(picture))
    assert (result.exit_code, "add --metric memorisation" in result.stderr) == (2, True)
    assert not saddle.requests
    result = command("evaluate", jobs[0], "--metric", "memorisation", "--nearest", str(picture))
    assert result.exit_code == 0, result.output
    assert picture.read_bytes() == NEAREST


def test_an_evaluation_that_fails_says_why(command, saddle, jobs):
    reason = {"code": "checkpoint_gone", "message": "checkpoint ckpt_1 has been removed"}
    saddle.evaluations.ends.append({"status": "failed", "reason": reason})
    result = command("evaluate", jobs[0])
    assert (result.exit_code, "checkpoint ckpt_1 has been removed" in result.stderr) == (1, True)


def test_compare_measures_what_is_missing_and_marks_the_best(command, saddle, jobs):
    result = command("compare", *jobs)
    assert result.exit_code == 0, result.output
    asked = [request.body["job"] for request in saddle.requests if request.method == "POST"]
    assert asked == jobs
    assert "generator_optimizer.lr" in result.stdout
    assert "0.0125 (0.011 to 0.014) *" in result.stdout
    assert "0.05 (0.04 to 0.06) !" in result.stdout
    assert "10,000 samples" in result.stdout
    saddle.requests.clear()
    again = json.loads(command("compare", *jobs, "--json").stdout)
    assert again["figures"][0]["beyond_noise"] == [False, True]
    assert not [request for request in saddle.requests if request.method == "POST"]


def test_compare_of_one_job_is_refused(command, jobs):
    result = command("compare", jobs[0])
    assert (result.exit_code, "two jobs or more" in result.output) == (2, True)
