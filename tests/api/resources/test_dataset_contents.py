"""An imported dataset as it is served: its report, its pictures, and a job on it."""

import io

import numpy as np
import pytest
from PIL import Image

from models.data import mapped
from store import datasets
from tests.api.conftest import make_key, post
from tests.api.importing import import_pets


@pytest.fixture
def database_url(sqlite_url):
    """The files are the same on both databases."""
    return sqlite_url


@pytest.fixture
def pets(services):
    return import_pets(services)


def picture(client, path):
    answer = client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png"), answer.text
    return np.asarray(Image.open(io.BytesIO(answer.content)))


def test_a_ready_dataset_tells_its_facts(client, pets):
    shown = client.get(f"/v1/datasets/{pets}").json()
    assert (shown["status"], shown["kind"], shown["classes"]) == ("ready", "uploaded", ["cats", "dogs"])
    assert (shown["images"], shown["facts"]["holdout_images"], shown["progress"]["fraction"]) == (18, 2, 1.0)
    assert shown["reason"]["message"] == "20 images were imported"
    assert len(shown["digest"]) == 64


def test_its_pictures_are_shown(client, services, pets):
    with services.database.read() as session:
        path = datasets.get(session, dataset_id=pets, tenant="default").path
    folder = services.artifacts.local_copy(path)
    train, holdout = (mapped.load(folder, split=split).images_NCHW for split in ("train", "holdout"))
    assert (picture(client, f"/v1/datasets/{pets}/images/3.png") == train[3].transpose(1, 2, 0)).all()
    assert (picture(client, f"/v1/datasets/{pets}/images/19.png") == holdout[1].transpose(1, 2, 0)).all()
    assert picture(client, f"/v1/datasets/{pets}/mean.png").shape == (28, 28, 3)
    assert picture(client, f"/v1/datasets/{pets}/preview.png").shape == (3 * 28, 8 * 28, 3)
    assert client.get(f"/v1/datasets/{pets}/images/20.png").status_code == 404
    assert client.get(f"/v1/datasets/{pets}/images/-1.png").status_code == 422


def test_its_report_is_served(client, pets):
    report = client.get(f"/v1/datasets/{pets}/report").json()
    assert (report["images"], report["refused"], report["format"]) == (18, 0, "zip")


def test_a_job_on_it_stores_its_facts_and_keeps_it(client, pets):
    job = post(client, dataset={"kind": "uploaded", "id": pets}, batch_size=8)
    assert job["spec"]["dataset"]["facts"]["images"] == 18
    assert job["spec"]["dataset"]["name"] == "pets"
    assert client.get("/v1/jobs?dataset=pets").json()["data"][0]["id"] == job["id"]
    refused = client.delete(f"/v1/datasets/{pets}")
    assert (refused.status_code, job["id"] in refused.json()["detail"]) == (409, True)
    assert client.post(f"/v1/jobs/{job['id']}/cancel").status_code == 200
    assert client.delete(f"/v1/datasets/{pets}").status_code == 204
    assert client.get(f"/v1/datasets/{pets}").status_code == 404
    assert client.get(f"/v1/jobs/{job['id']}").json()["spec"] == job["spec"], "the job is still shown"
    again = client.post("/v1/jobs", json={"dataset": {"kind": "uploaded", "id": pets}})
    assert (again.status_code, again.json()["errors"][0]["pointer"]) == (422, "/dataset/id")


def test_a_batch_larger_than_the_dataset_is_refused(client, pets):
    answer = client.post("/v1/jobs", json={"dataset": {"kind": "uploaded", "id": pets}, "batch_size": 64})
    assert answer.status_code == 422
    assert "18" in answer.json()["detail"]


def test_a_builtin_dataset_is_not_deleted(client):
    assert client.delete("/v1/datasets/ring").status_code == 409


def test_the_list_goes_on_from_imported_to_builtin_datasets(client, services):
    made = [import_pets(services, name=f"pets {number}") for number in range(2)]
    found, after = [], None
    for _ in range(9):
        page = client.get("/v1/datasets", params={"limit": 2} | ({"after": after} if after else {})).json()
        found += [row["id"] for row in page["data"]]
        if (after := page["next"]) is None:
            break
    assert found == [*reversed(made), "fashion-mnist", "digits", "ring", "grid", "stacked-fashion"]


def test_the_same_file_again_has_the_same_digest(client, services):
    one, other = (import_pets(services, name=name) for name in ("one", "other"))
    digests = [client.get(f"/v1/datasets/{dataset}").json()["digest"] for dataset in (one, other)]
    assert digests[0] == digests[1]


def test_the_events_of_an_import_are_listed_and_streamed(client, anonymous, services, pets):
    with services.database.read() as session:
        job_id = datasets.get(session, dataset_id=pets, tenant="default").job_id
    listed = client.get(f"/v1/datasets/{pets}/events", headers={"Accept": "application/json"}).json()["data"]
    assert [event["data"]["status"] for event in listed if event["type"] == "state"] == [
        "queued",
        "running",
        "succeeded",
    ]
    stream = client.get(f"/v1/datasets/{pets}/events", headers={"Last-Event-ID": str(listed[0]["id"])})
    assert stream.headers["content-type"].startswith("text/event-stream")
    assert [line for line in stream.text.splitlines() if line.startswith("id: ")] == [
        f"id: {event['id']}" for event in listed[1:]
    ]
    assert client.get(f"/v1/jobs/{job_id}/events").status_code == 404, "an import is no training job"
    anonymous.headers["Authorization"] = f"Bearer {make_key(services, tenant='other')}"
    assert anonymous.get(f"/v1/datasets/{pets}/events").status_code == 404
