import pytest

from tests.api.conftest import post


@pytest.fixture
def job_id(client, runner):
    job_id = post(client)["id"]
    runner.start(job_id)
    return job_id


def test_before_the_first_checkpoint_a_client_is_asked_to_wait(client, job_id):
    for path in ("samples.png", "samples"):
        answer = client.get(f"/v1/jobs/{job_id}/{path}")
        assert answer.status_code == 409
        assert int(answer.headers["retry-after"]) > 0


def test_a_job_that_ended_without_a_checkpoint_does_not_ask_to_wait(client, runner, job_id):
    runner.end(job_id, "failed")
    answer = client.get(f"/v1/jobs/{job_id}/samples.png")
    assert answer.status_code == 409
    assert "retry-after" not in answer.headers


def test_the_newest_checkpoint_serves_and_the_headers_say_so(client, runner, job_id):
    runner.save(job_id, 100)
    newest = runner.save(job_id, 200)
    answer = client.get(f"/v1/jobs/{job_id}/samples.png?count=10&seed=3")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["saddle-checkpoint"] == newest
    assert answer.headers["saddle-images-seen"] == "200"
    assert answer.text == f"{newest} SampleRequest(count=10, seed=3, truncation=1.0, label=None) 4"
    assert client.get(f"/v1/jobs/{job_id}/samples.png?seed=4").headers["etag"] != answer.headers["etag"]


def test_best_latest_and_ids_choose_the_checkpoint(client, runner, job_id):
    best = runner.save(job_id, 100, fid=5.0)
    latest = runner.save(job_id, 200, fid=9.0)
    url = f"/v1/jobs/{job_id}/samples.png?checkpoint="
    for which, expected in (("best", best), ("latest", latest), (best, best), (latest, latest)):
        assert client.get(url + which).headers["saddle-checkpoint"] == expected
    assert client.get(url + "ckpt_" + "0" * 26).status_code == 404


def test_a_damaged_newest_checkpoint_falls_back_to_the_one_before(client, runner, job_id):
    good = runner.save(job_id, 100)
    damaged = runner.save(job_id, 200, damaged=True)
    answer = client.get(f"/v1/jobs/{job_id}/samples.png")
    assert answer.status_code == 200
    assert answer.headers["saddle-checkpoint"] == good
    assert client.get(f"/v1/jobs/{job_id}/samples.png?checkpoint={damaged}").status_code == 404


KNOWN = ["{etag}", "W/{etag}", '"other", {etag}', 'W/"other" ,W/{etag}, "more"', '"a,b",{etag}', "*", " * "]


@pytest.mark.parametrize("path", ["samples.png?seed=3", "samples?count=3", "samples?count=3&format=zip"])
def test_what_the_client_has_is_not_drawn_again(client, runner, services, job_id, path):
    newest = runner.save(job_id, 100)
    url = f"/v1/jobs/{job_id}/{path}"
    first = client.get(url)
    drawn = services.sampler.drawn
    for known in KNOWN:
        again = client.get(url, headers={"If-None-Match": known.format(etag=first.headers["etag"])})
        assert (again.status_code, again.content) == (304, b""), known
        assert (again.headers["etag"], again.headers["saddle-checkpoint"]) == (first.headers["etag"], newest)
        assert again.headers["cache-control"] == first.headers["cache-control"]
    assert services.sampler.drawn == drawn


def test_what_the_client_does_not_have_is_drawn(client, runner, job_id):
    runner.save(job_id, 100)
    url = f"/v1/jobs/{job_id}/samples.png"
    etag = client.get(url).headers["etag"]
    for other in ('"other"', etag.strip('"'), etag[:-2] + '"', f'"x{etag[1:]}', '"*"', "**", "", "W/", '"'):
        assert client.get(url, headers={"If-None-Match": other}).status_code == 200, other
    newer = runner.save(job_id, 200)
    answer = client.get(url, headers={"If-None-Match": etag})
    assert (answer.status_code, answer.headers["saddle-checkpoint"]) == (200, newer)


def test_a_damaged_checkpoint_is_nobodys_copy(client, runner, services, job_id):
    """A 304 would keep its picture in use, where the older checkpoint's is answered to everybody else."""
    good = runner.save(job_id, 100)
    url = f"/v1/jobs/{job_id}/samples.png"
    of_good = client.get(url).headers["etag"]
    runner.save(job_id, 200)
    of_newest = client.get(url).headers["etag"]
    (services.artifacts.local_copy(f"jobs/{job_id}/checkpoints/200") / "damaged").touch()
    answer = client.get(url, headers={"If-None-Match": of_newest})
    assert (answer.status_code, answer.headers["saddle-checkpoint"]) == (200, good)
    for known in (of_good, "*", f"{of_newest}, {of_good}"):
        answer = client.get(url, headers={"If-None-Match": known})
        assert (answer.status_code, answer.headers["etag"]) == (304, of_good)


def test_nothing_to_serve_is_no_copy_either(client, runner, job_id):
    url = f"/v1/jobs/{job_id}/samples.png"
    assert client.get(url, headers={"If-None-Match": "*"}).status_code == 409
    runner.save(job_id, 100, damaged=True)
    assert client.get(url, headers={"If-None-Match": "*"}).status_code == 404


def test_many_samples_come_as_npz_or_zip(client, runner, job_id):
    checkpoint = runner.save(job_id, 100)
    npz = client.get(f"/v1/jobs/{job_id}/samples?count=10000")
    assert npz.text == f"npz {checkpoint} SampleRequest(count=10000, seed=0, truncation=1.0, label=None)"
    zipped = client.get(f"/v1/jobs/{job_id}/samples?count=5&format=zip&truncation=0.5")
    assert zipped.headers["content-type"] == "application/zip"
    assert zipped.text == f"zip {checkpoint} SampleRequest(count=5, seed=0, truncation=0.5, label=None)"


@pytest.fixture
def conditional_id(client, runner):
    job_id = post(client, labels=True)["id"]
    runner.start(job_id)
    runner.save(job_id, 100)
    return job_id


@pytest.mark.parametrize("path", ["samples.png", "samples"])
def test_a_conditional_model_draws_the_class_that_is_asked_for(client, conditional_id, path):
    answers = [client.get(f"/v1/jobs/{conditional_id}/{path}{query}") for query in ("", "?label=0", "?label=9")]
    assert [answer.status_code for answer in answers] == [200] * 3
    for answer, label in zip(answers, ("None", "0", "9"), strict=True):
        assert f"label={label})" in answer.text
    assert len({answer.headers["etag"] for answer in answers}) == 3


@pytest.mark.parametrize("path", ["samples.png", "samples"])
def test_a_label_beyond_the_classes_is_refused_with_the_limit(client, conditional_id, path):
    answer = client.get(f"/v1/jobs/{conditional_id}/{path}?label=10")
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["pointer"] == "query/label"
    assert "10 classes: use 0 to 9" in error["detail"]
    assert client.get(f"/v1/jobs/{conditional_id}/{path}?label=-1").status_code == 422


def test_a_label_for_an_unconditional_model_is_refused_with_the_reason(client, runner, job_id):
    runner.save(job_id, 100)
    for path in ("samples.png", "samples"):
        answer = client.get(f"/v1/jobs/{job_id}/{path}?label=0")
        assert answer.status_code == 422
        assert "unconditional: leave label out" in answer.json()["detail"]


def test_points_come_as_a_picture_and_npz_but_not_as_many_pictures(client, runner):
    job_id = post(client, dataset={"name": "ring"}, architecture={"kind": "mlp"})["id"]
    runner.start(job_id)
    runner.save(job_id, 100)
    assert client.get(f"/v1/jobs/{job_id}/samples.png").status_code == 200
    assert client.get(f"/v1/jobs/{job_id}/samples?format=npz").text.startswith("npz ")
    answer = client.get(f"/v1/jobs/{job_id}/samples?format=zip")
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error == {"pointer": "query/format", "detail": "points have no pictures: use npz"}


IMPOSSIBLE = [
    "samples.png?count=1000000",
    "samples.png?count=401",
    "samples.png?count=0",
    "samples.png?seed=-1",
    "samples.png?columns=0",
    "samples.png?checkpoint=../x",
    "samples.png?truncation=0",
    "samples.png?truncation=nan",
    "samples.png?label=3",
    "samples?count=10001",
    "samples?format=pt",
]


def test_impossible_wishes_are_refused_by_name(client, runner, job_id):
    runner.save(job_id, 100)
    for query in IMPOSSIBLE:
        answer = client.get(f"/v1/jobs/{job_id}/{query}")
        assert answer.status_code == 422, query
        assert answer.json()["errors"][0]["pointer"] == "query/" + query.partition("?")[2].partition("=")[0]


def test_checkpoints_are_listed_shown_and_downloaded(client, runner, job_id):
    made = [runner.save(job_id, images) for images in (100, 200, 300)]
    page = client.get(f"/v1/jobs/{job_id}/checkpoints?limit=2").json()
    assert [row["id"] for row in page["data"]] == sorted(made, reverse=True)[:2]
    rest = client.get(f"/v1/jobs/{job_id}/checkpoints?after={page['next']}").json()
    assert [row["id"] for row in rest["data"]] == [min(made)]
    shown = client.get(f"/v1/jobs/{job_id}/checkpoints/{made[1]}").json()
    assert (shown["images_seen"], shown["size_bytes"]) == (200, 7)
    weights = client.get(f"/v1/jobs/{job_id}/checkpoints/{made[1]}/generator.safetensors")
    assert weights.content == b"weights"
    other = post(client)["id"]
    assert client.get(f"/v1/jobs/{other}/checkpoints/{made[1]}").status_code == 404
