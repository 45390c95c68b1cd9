"""The client's methods against an HTTP server that answers as the contract says."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from saddle.client import Client
from saddle.errors import ApiError, FieldError, InvalidRequest, UnexpectedAnswer, Unreachable


def test_answers_of_an_older_service_have_no_origin_and_no_pins(client: Client, saddle: Any) -> None:
    job_id = saddle.add_job()
    del saddle.jobs[job_id]["forked_from"]
    assert client.job(job_id).forked_from is None
    saddle.answer_next(200, b'{"data": [{"id": "ckpt_1", "images_seen": 1}], "has_more": false, "next": null}')
    assert [checkpoint.pinned for checkpoint in client.checkpoints(job_id)] == [False]


def test_refused_fields_are_listed_with_their_pointers(client: Client) -> None:
    with pytest.raises(ApiError) as caught:
        client.create_job({"batch_size": 1})
    assert caught.value.status == 422
    assert caught.value.errors == (FieldError("/batch_size", "must be at least 2"),)
    assert str(caught.value) == ("422 Unprocessable Content\n  /batch_size: must be at least 2")


def test_listing_goes_from_page_to_page_up_to_the_limit(client: Client, saddle: Any) -> None:
    ids = [saddle.add_job() for _ in range(230)]
    assert [job.id for job in client.jobs()] == ids[::-1]
    assert [job.id for job in client.jobs(limit=150)] == ids[:79:-1]
    sizes = [request.query["limit"] for request in saddle.requests]
    assert sizes == ["100", "100", "100", "100", "50"]


def test_listing_is_filtered_by_the_service(client: Client, saddle: Any) -> None:
    saddle.add_job("running")
    ended = saddle.add_job("failed")
    assert [job.id for job in client.jobs(status="failed", dataset="digits", metadata={"team": "x"})] == [ended]
    assert saddle.requests[-1].query["metadata[team]"] == "x"
    assert saddle.requests[-1].query["dataset"] == "digits"


@pytest.mark.parametrize("job_id", ["", ".", ".."])
def test_text_that_is_no_path_segment_is_not_sent(client: Client, saddle: Any, job_id: str) -> None:
    with pytest.raises(InvalidRequest):
        client.delete_job(job_id)
    assert not saddle.requests


def test_id_cannot_lead_to_another_path(client: Client, saddle: Any) -> None:
    with pytest.raises(ApiError):
        client.job("../presets/robust?x#y")
    assert saddle.requests[-1].path == "/v1/jobs/..%2Fpresets%2Frobust%3Fx%23y"


def test_number_that_is_not_finite_is_not_sent(client: Client, saddle: Any) -> None:
    with pytest.raises(InvalidRequest):
        client.create_job({"generator_optimizer": {"lr": float("nan")}})
    assert not saddle.requests


def test_series_keeps_its_gaps(client: Client, saddle: Any) -> None:
    job_id = saddle.add_job()
    series = client.metrics(job_id, names=["loss_g", "loss_d"], after_images=5, points=10)
    assert series.images_seen == (100, 200)
    assert series.series["loss_g"] == (0.7, None)
    assert saddle.requests[-1].query == {"names": "loss_g,loss_d", "after_images": "5", "points": "10"}


def test_past_events_go_from_page_to_page(client: Client, saddle: Any) -> None:
    job_id = saddle.add_job()
    for number in range(2100):
        saddle.add_event(job_id, "metrics", number)
    assert [event.id for event in client.past_events(job_id, after=50)] == list(range(51, 2101))
    assert len(saddle.requests) == 3


def test_checkpoints_are_listed(client: Client, saddle: Any) -> None:
    found = list(client.checkpoints(saddle.add_job()))
    assert [(checkpoint.id, checkpoint.images_seen) for checkpoint in found] == [
        ("ckpt_3", 300),
        ("ckpt_2", 200),
        ("ckpt_1", 100),
    ]


def test_pins_are_set_and_taken_off_again_also_after_a_cut(client: Client, saddle: Any) -> None:
    job_id = saddle.add_job()
    saddle.answer_next(0)
    assert client.pin_checkpoint(job_id, "ckpt_2").pinned
    assert [checkpoint.id for checkpoint in client.checkpoints(job_id) if checkpoint.pinned] == ["ckpt_2"]
    assert not client.unpin_checkpoint(job_id, "ckpt_2").pinned
    path = f"/v1/jobs/{job_id}/checkpoints/ckpt_2/pin"
    sent = [(request.method, request.path) for request in saddle.requests if request.path == path]
    assert sent == [("PUT", path), ("PUT", path), ("DELETE", path)]


def test_downloaded_generator_is_whole(client: Client, saddle: Any, tmp_path: Path) -> None:
    client.download_generator(saddle.add_job(), "ckpt_1", to=tmp_path / "g.safetensors")
    assert (tmp_path / "g.safetensors").read_bytes() == b"weights" * 1000
    assert [path.name for path in tmp_path.iterdir()] == ["g.safetensors"]


def test_cut_download_leaves_the_old_file(client: Client, saddle: Any, tmp_path: Path) -> None:
    target = tmp_path / "g.safetensors"
    target.write_bytes(b"old")
    saddle.answer_next(0)
    with pytest.raises(Unreachable):
        client.download_generator(saddle.add_job(), "ckpt_1", to=target)
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["g.safetensors"]


def test_download_cut_half_way_leaves_the_old_file(client: Client, saddle: Any, tmp_path: Path) -> None:
    target = tmp_path / "g.safetensors"
    target.write_bytes(b"old")
    saddle.answer_next(200, b"half", **{"Content-Length": "1000"})
    with pytest.raises(Unreachable, match="the download was cut"):
        client.download_generator(saddle.add_job(), "ckpt_1", to=target)
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["g.safetensors"]


def test_grid_tells_its_checkpoint(client: Client, saddle: Any) -> None:
    grid = client.samples_png(saddle.add_job(), count=16, checkpoint="best")
    assert grid.png.startswith(b"\x89PNG")
    assert (grid.checkpoint, grid.images_seen) == ("ckpt_1", 400)
    assert saddle.requests[-1].query == {"count": "16", "checkpoint": "best"}


def test_grid_without_its_headers_is_not_saddles(client: Client, saddle: Any) -> None:
    saddle.answer_next(200, b"<html>")
    with pytest.raises(UnexpectedAnswer, match=r"Saddle's Grid"):
        client.samples_png(saddle.add_job())


def test_samples_come_as_the_file_that_was_asked_for(client: Client, saddle: Any) -> None:
    assert client.samples(saddle.add_job(), count=1000, file_format="npz") == b"npz of 1000"


def test_figures_are_listed(client: Client) -> None:
    assert {figure.name: figure.title for figure in client.figures()}["fid"] == "FID"


def test_presets_are_listed_and_found(client: Client) -> None:
    assert [preset.name for preset in client.presets()] == ["robust"]
    assert client.preset("robust").purpose == "The default."


def test_health_and_readiness(client: Client, saddle: Any, waits: list[float]) -> None:
    client.check_health()
    assert client.readiness().ready
    body = {"ready": False, "database": "ok", "redis": "ok", "workers": "none seen lately"}
    saddle.answer_next(503, json.dumps(body).encode())
    readiness = client.readiness()
    assert not readiness.ready
    assert readiness.workers == "none seen lately"
    assert waits == []


def test_refusing_port_is_told_with_the_address_and_the_remedy() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
    with Client(url, "") as client, pytest.raises(Unreachable, match="make serve") as caught:
        client.job("job_1")
    assert url in str(caught.value)


def test_another_program_at_the_address_is_recognised(client: Client, saddle: Any) -> None:
    saddle.answer_next(200, b"<html>It works!</html>")
    with pytest.raises(UnexpectedAnswer, match="is this the address of Saddle"):
        client.job("job_1")
    saddle.answer_next(502, b"<html>Bad Gateway</html>")
    with pytest.raises(ApiError, match="502 Bad Gateway: <html>"):
        client.job("job_1")
    saddle.answer_next(307, b"", Location="https://example.org/login")
    with pytest.raises(ApiError, match="307"):
        client.job("job_1")


def test_key_with_a_line_break_is_not_sent(saddle: Any) -> None:
    with pytest.raises(InvalidRequest) as caught:
        Client(saddle.url, "secret\nInjected: header")
    assert "secret" not in str(caught.value)


def test_proxy_from_the_environment_does_not_catch_loopback(saddle: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with Client(saddle.url, "") as client:
        client.check_health()


def test_the_timeline_is_listed_and_fetched(client, saddle):
    job_id = saddle.add_job()
    places = client.timeline(job_id)
    assert [place.images_seen for place in places] == [0, 100]
    assert client.timeline_png(job_id, places[1].images_seen) == b"grid 100.png"
