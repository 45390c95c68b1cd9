"""/v1/jobs/{id}/timeline: grids that outlive their weights."""

from starlette.testclient import TestClient

from api.app import create_app
from store import checkpoints
from tests.api.conftest import make_key, post


def test_a_grid_outlives_the_weights_that_it_was_drawn_from(client, runner, services):
    job_id = post(client, checkpoint={"keep_latest": 1, "keep_best": 0})["id"]
    runner.start(job_id)
    runner.draw(job_id, 0)
    for seen in (100, 200, 300):
        runner.save(job_id, seen)
        runner.draw(job_id, seen)
    with services.database.write() as session:
        assert len(checkpoints.prune(session, job_id=job_id, attempt=1)) == 2
    listed = client.get(f"/v1/jobs/{job_id}/timeline").json()["data"]
    assert [place["images_seen"] for place in listed] == [0, 100, 200, 300]
    for place in listed:
        answer = client.get(place["url"])
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
        assert answer.text == f"grid {place['images_seen']}"


def test_a_place_that_is_reached_again_is_drawn_again(client, runner, services):
    job_id = post(client)["id"]
    runner.start(job_id)
    assert runner.draw(job_id, 100) is None
    assert runner.draw(job_id, 100, name="100-2") == f"jobs/{job_id}/timeline/100"
    assert len(client.get(f"/v1/jobs/{job_id}/timeline").json()["data"]) == 1


def test_what_is_not_there_is_not_found(client, runner, services):
    job_id = post(client)["id"]
    assert client.get(f"/v1/jobs/{job_id}/timeline").json() == {"data": []}
    answer = client.get(f"/v1/jobs/{job_id}/timeline/100.png")
    assert (answer.status_code, "no grid at 100 images" in answer.json()["detail"]) == (404, True)
    runner.start(job_id)
    runner.draw(job_id, 100)
    services.artifacts.delete(f"jobs/{job_id}/timeline/100")
    assert client.get(f"/v1/jobs/{job_id}/timeline/100.png").status_code == 404
    assert client.get(f"/v1/jobs/{job_id}/timeline/x.png").status_code == 422
    with TestClient(create_app(services)) as stranger:
        stranger.headers["Authorization"] = f"Bearer {make_key(services, tenant='other')}"
        for path in ("", "/100.png"):
            assert stranger.get(f"/v1/jobs/{job_id}/timeline{path}").status_code == 404
