"""Datasets by the client and by the command, against a fake service."""

import io
import json
import zipfile
from pathlib import Path

import pytest

from saddle.errors import ApiError, InvalidRequest


def part(body: bytes, name: str) -> bytes:
    """Return the content of a part of a form."""
    head = body.index(f'name="{name}"'.encode())
    start = body.index(b"\r\n\r\n", head) + 4
    return body[start : body.index(b"\r\n--", start)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "photos.zip"
    path.write_bytes(bytes(range(256)) * 1000)
    return path


def test_a_file_is_sent_whole_again_after_a_cut(client, saddle, file, waits):
    saddle.answer_next(0)
    sent = []
    made = client.datasets.add(file, name="pets", options={"fit": "pad"}, sent=lambda *progress: sent.append(progress))
    assert (made.id, made.status) == ("ds_2", "importing")
    first, second = (request.body for request in saddle.requests)
    assert part(second, "file") == part(first, "file") == file.read_bytes()
    assert (part(second, "name"), json.loads(part(second, "options"))) == (b"pets", {"fit": "pad"})
    assert sent[-1] == (256_000, 256_000)
    keys = {request.headers["Idempotency-Key"] for request in saddle.requests}
    assert len(keys) == 1
    assert len(waits) == 1


def test_a_folder_is_packed(client, saddle, tmp_path):
    for name in ("cats/1.png", "dogs/2.png"):
        (tmp_path / "pets" / name).parent.mkdir(parents=True)
        (tmp_path / "pets" / name).write_bytes(name.encode())
    client.datasets.add(tmp_path / "pets", name="pets")
    body = saddle.requests[-1].body
    assert b'filename="pets.zip"' in body
    with zipfile.ZipFile(io.BytesIO(part(body, "file"))) as packed:
        assert {name: packed.read(name) for name in packed.namelist()} == {
            "cats/1.png": b"cats/1.png",
            "dogs/2.png": b"dogs/2.png",
        }


def test_a_path_that_is_not_there_is_told(client, tmp_path):
    with pytest.raises(InvalidRequest, match="there is no"):
        client.datasets.add(tmp_path / "absent.zip", name="pets")


def test_a_refusal_names_the_field(client, saddle, file):
    problem = {"title": "Unprocessable", "detail": "photos.zip: it holds no pictures", "errors": []}
    saddle.answer_next(422, json.dumps(problem).encode())
    with pytest.raises(ApiError, match="it holds no pictures"):
        client.datasets.add(file, name="pets")


def test_add_waits_and_prints_the_report(command, saddle, file):
    progress = {"entries": 20, "entries_total": 40, "fraction": 0.5}
    saddle.datasets.imports.extend([{"progress": progress}, {"status": "ready"}])
    result = command("datasets", "add", "pets", str(file), "--resolution", "64", "--labels", "none")
    assert result.exit_code == 0, result.output
    assert json.loads(part(saddle.requests[0].body, "options")) == {"resolution": 64, "labels": "none"}
    assert result.stdout.strip() == "ds_2"
    for line in (
        "36 images to train on and 4 held out, 64x64 colour, 2 classes",
        "40 cut to a square",
        "1 duplicates, and 2 that look like another",
        "refused 0.png: is empty",
        "refused 2 more",
        "advice: 40 images are few",
    ):
        assert line in result.stderr


def test_add_of_a_file_that_fails_says_why(command, saddle, file):
    reason = {"code": "refused", "message": "3 pictures can be used"}
    saddle.datasets.imports.append({"status": "failed", "reason": reason})
    result = command("datasets", "add", "pets", str(file))
    assert (result.exit_code, "3 pictures can be used" in result.stderr) == (1, True)


def test_add_without_waiting(command, saddle, file):
    result = command("datasets", "add", "pets", str(file), "--no-wait", "--json")
    assert (result.exit_code, json.loads(result.stdout)["status"]) == (0, "importing")


def test_the_others_find_a_dataset_by_name_or_id(command, saddle):
    assert "shoes" in command("datasets", "list").output
    assert json.loads(command("datasets", "list", "--json").output)[0]["id"] == "ds_1"
    for name in ("shoes", "ds_1"):
        assert "name: shoes" in command("datasets", "show", name).output
    assert "36 images to train on" in command("datasets", "report", "shoes").output
    assert command("datasets", "cancel", "shoes").output.strip() == "ds_1 failed"
    assert command("datasets", "delete", "shoes").output.strip() == "ds_1 deleted"
    absent = command("datasets", "delete", "shoes")
    assert (absent.exit_code, "there is no dataset shoes" in absent.output) == (2, True)


@pytest.mark.parametrize(
    ("name", "dataset"),
    [
        ("shoes", {"kind": "uploaded", "id": "ds_1"}),
        ("ds_1", {"kind": "uploaded", "id": "ds_1"}),
        ("digits", {"kind": "builtin", "name": "digits"}),
        ("unknown", {"kind": "builtin", "name": "unknown"}),
    ],
)
def test_submit_takes_a_dataset_by_name_or_id(command, saddle, name, dataset):
    assert command("submit", "--dataset", name).exit_code == 0
    assert saddle.requests[-1].body == {"dataset": dataset}
