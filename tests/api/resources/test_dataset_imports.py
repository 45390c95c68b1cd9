"""POST /v1/datasets: which files are taken, and what is said of the others."""

import io
import json
import tarfile
import zipfile

import numpy as np
import pytest

from store import datasets
from tests.api.conftest import make_key
from tests.pictures import archive, cats_and_dogs, picture


def post(client, path, *, name="pets", key=None, **options):
    headers = {"Idempotency-Key": key} if key else {}
    with path.open("rb") as file:
        return client.post(
            "/v1/datasets",
            files={"file": (path.name, file)},
            data={"name": name, "options": json.dumps(options)},
            headers=headers,
        )


@pytest.fixture
def pets(tmp_path):
    return cats_and_dogs(tmp_path / "pets.zip")


def artifacts(services):
    return [one.key for one in services.artifacts.list("datasets")]


def test_a_file_is_stored_and_its_import_is_queued(client, services, pets):
    answer = post(client, pets, resolution=32)
    assert answer.status_code == 202, answer.text
    made = answer.json()
    assert answer.headers["location"] == f"/v1/datasets/{made['id']}"
    assert (made["name"], made["status"], made["progress"]["entries_total"]) == ("pets", "importing", 40)
    assert made["options"]["resolution"] == 32
    assert client.get(answer.headers["location"]).json() == made
    assert artifacts(services) == [f"datasets/{made['id']}/upload"]
    listed = client.get("/v1/datasets").json()["data"]
    assert [row["id"] for row in listed[:2]] == [made["id"], "fashion-mnist"]
    assert client.get("/v1/jobs").json()["data"] == [], "an import is no training job"


def test_the_same_request_again_gets_the_first_answer(client, services, pets):
    first, second = (post(client, pets, key="once") for _ in range(2))
    assert first.json() == second.json()
    assert len(artifacts(services)) == 1
    other = post(client, pets, key="once", resolution=64)
    assert other.status_code == 422
    assert len(artifacts(services)) == 1


def test_a_name_is_taken_once(client, services, pets):
    assert post(client, pets).status_code == 202
    again = post(client, pets)
    assert (again.status_code, "named pets" in again.json()["detail"]) == (409, True)
    assert len(artifacts(services)) == 1


def test_a_failed_import_gives_its_name_free(client, services, pets):
    first = post(client, pets).json()
    cancelled = client.post(f"/v1/datasets/{first['id']}/cancel").json()
    assert (cancelled["status"], cancelled["reason"]["code"]) == ("failed", "cancelled")
    assert post(client, pets).status_code == 202
    assert client.get(f"/v1/datasets/{first['id']}").status_code == 404


def test_another_tenants_dataset_is_not_there(client, anonymous, services, pets):
    made = post(client, pets).json()
    anonymous.headers["Authorization"] = f"Bearer {make_key(services, tenant='other')}"
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("GET", "/report"), ("GET", "/preview.png")):
        assert anonymous.request(method, f"/v1/datasets/{made['id']}{path}").status_code == 404
    used = anonymous.post("/v1/jobs", json={"dataset": {"kind": "uploaded", "id": made["id"]}})
    assert used.status_code == 422
    assert used.json()["errors"][0]["pointer"] == "/dataset/id"
    assert post(anonymous, pets).status_code == 202, "names are a tenant's own"


def test_a_reader_imports_nothing(client, services, pets):
    client.headers["Authorization"] = f"Bearer {make_key(services, role='read')}"
    assert post(client, pets).status_code == 403
    assert artifacts(services) == []


def zipped(tmp_path, *members):
    return archive(tmp_path / "some.zip", members)


def linked(tmp_path):
    with tarfile.open(tmp_path / "some.tar", "w") as file:
        link = tarfile.TarInfo("pets/1.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        file.addfile(link)
    return tmp_path / "some.tar"


def bomb(tmp_path):
    with zipfile.ZipFile(tmp_path / "some.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("pets/1.png", bytes(10_000_000))
    return tmp_path / "some.zip"


def pickled(tmp_path):
    np.savez(tmp_path / "some.npz", images=np.array([{}], dtype=object))
    return tmp_path / "some.npz"


def plain(tmp_path, content):
    (tmp_path / "some").write_bytes(content)
    return tmp_path / "some"


REFUSED = {
    "leaves the archive": (lambda to: zipped(to, ("../../1.png", picture(1))), 422, "no name within the archive"),
    "absolute": (lambda to: zipped(to, ("/etc/1.png", picture(1))), 422, "no name within the archive"),
    "a drive": (lambda to: zipped(to, ("C:\\1.png", picture(1))), 422, "no name within the archive"),
    "a link": (linked, 422, "is a link"),
    "nested": (lambda to: zipped(to, ("more.zip", b"")), 422, "an archive within the archive"),
    "a bomb": (bomb, 413, "more than 50 times its size"),
    "a pickle": (lambda to: plain(to, b"\x80\x04K\x01."), 415, "a pickle, which is never opened"),
    "a model of PyTorch's": (lambda to: zipped(to, ("archive/data.pkl", b"")), 415, "a pickle, which is never opened"),
    "an array of objects": (pickled, 415, "Python objects, which are never opened"),
    "one picture": (lambda to: plain(to, picture(1)), 415, "pack a folder of pictures"),
    "text": (lambda to: plain(to, b"hello" * 200), 415, "upload a zip or tar archive"),
    "nothing": (lambda to: plain(to, b""), 415, "it is empty"),
    "no pictures": (lambda to: zipped(to, ("readme.txt", b"hello")), 422, "it holds no pictures: it holds readme.txt"),
    "SVG": (lambda to: zipped(to, ("1.png", b"<svg></svg>")), 422, "1.png holds a text such as SVG"),
    "cut off": (lambda to: zipped(to, ("1.png", picture(1)[:200])), 422, "1.png is damaged: image file is truncated"),
    "a cut-off archive": (lambda to: plain(to, cats_and_dogs(to / "a.zip").read_bytes()[:2000]), 422, "cut off"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_file_that_cannot_be_imported_is_refused_with_the_reason(client, services, tmp_path, case):
    make, status, words = REFUSED[case]
    answer = post(client, make(tmp_path))
    assert (answer.status_code, words in answer.json()["detail"]) == (status, True), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert artifacts(services) == []
    with services.database.read() as session:
        assert datasets.page(session, tenant="default", limit=9, after=None) == ([], False)


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({}, "/name"),
        ({"name": "a\u202eb"}, "/name"),
        ({"name": "fashion-mnist"}, "/name"),
        ({"name": "pets", "colour": "red"}, "/colour"),
        ({"name": "pets", "options": '{"resolution": 27}'}, "/options/resolution"),
        ({"name": "pets", "options": '{"size": 64}'}, "/options/size"),
        ({"name": "pets", "options": '{"labels": "csv"}'}, "/file"),
    ],
)
def test_a_wrong_field_is_named(client, services, pets, fields, pointer):
    answer = client.post("/v1/datasets", files={"file": ("pets.zip", pets.read_bytes())}, data=fields)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["pointer"].startswith(pointer)
    assert artifacts(services) == []


def test_a_form_without_a_file_or_that_is_no_form_is_refused(client, services):
    assert client.post("/v1/datasets", json={"name": "pets"}).status_code == 415
    empty = client.post("/v1/datasets", files={"other": ("pets.zip", b"")}, data={"name": "pets"})
    assert (empty.status_code, empty.json()["errors"][0]["pointer"]) == (422, "/file")
    cut = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.zip"\r\n\r\nabc'
    answer = client.post("/v1/datasets", content=cut, headers={"Content-Type": "multipart/form-data; boundary=b"})
    assert answer.status_code == 400
    assert artifacts(services) == []


class TestLimit:
    @pytest.fixture
    def settings(self, settings):
        return settings.model_copy(update={"max_upload_bytes": 1000})

    def test_a_file_over_the_limit_is_refused_while_it_arrives(self, client, services, pets):
        assert post(client, pets).status_code == 413
        # Its length is a lie, or not told.
        body = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.zip"\r\n\r\n' + pets.read_bytes()
        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        answer = client.post("/v1/datasets", content=io.BytesIO(body), headers=headers)
        assert answer.status_code == 413, answer.text
        assert artifacts(services) == []
