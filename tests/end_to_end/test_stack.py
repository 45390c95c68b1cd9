"""The whole service as a user runs it: `python -m embedded.serve` and the client."""

import contextlib
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest
from typer.testing import CliRunner

from embedded.redis import free_port
from saddle import cli
from saddle.client import Client
from tests import tiny
from tests.pictures import picture

ROOT = Path(__file__).parent.parent.parent
TINY = tiny.SPEC | {"checkpoint": {"every_images": 6_400}, "metrics": {"every_images": 640}}
SHORT = TINY | {"budget": {"images": 12_800}}
LONG = TINY | {"budget": {"images": 64_000}}


class Stack:
    """A running service and its processes."""

    def __init__(self, process: subprocess.Popen[bytes], url: str, data_dir: Path) -> None:
        self.process = process
        self.url = url
        self.key_file = data_dir / "api-key"

    def kill(self, word: str, *, but: str = "\0") -> None:
        """Send SIGKILL to every process with the first word in its command line and not the second."""
        doomed = []
        for process in psutil.Process(self.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):  # ended meanwhile, or a zombie
                line = " ".join(process.cmdline())
                if word in line and but not in line:
                    doomed.append(process)
        assert doomed, f"no process {word}"
        for process in doomed:  # one's death may be another's: a worker takes its trainer along
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    def is_ready(self) -> bool:
        assert self.process.poll() is None, "the service has ended"
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    def client(self) -> Client:
        return Client(self.url, self.key_file.read_text().strip())


@contextmanager
def serving(data_dir: Path, wait_for: Callable[..., object], **settings: str) -> Iterator[Stack]:
    port = free_port()
    environment = {
        **os.environ,
        **tiny.SETTINGS,
        "SADDLE_DATA_DIR": str(data_dir),
        "SADDLE_PORT": str(port),
        **settings,
    }
    log = (data_dir / "test.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "embedded.serve"], cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT
    )
    stack = Stack(process, f"http://127.0.0.1:{port}", data_dir)
    try:
        wait_for(stack.is_ready, seconds=60, what="ready")
        yield stack
    finally:
        family = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        process.send_signal(signal.SIGTERM)
        status = process.wait(60)
        log.close()
        _, alive = psutil.wait_procs(family, timeout=5)
        for orphan in alive:
            orphan.kill()
    print((data_dir / "test.log").read_text()[-5000:])
    assert status == 0, "a stop that was asked for is no failure"
    assert alive == [], "no process remains"


@pytest.fixture(scope="module", params=["embedded", "external"])
def stack(request, tmp_path_factory, wait_for) -> Iterator[Stack]:
    """Start the service on SQLite with the embedded Redis, or on PostgreSQL with a Redis server beside it.

    The data folder's name means something else in an address.
    """
    folder = tmp_path_factory.mktemp("serving") / "100%41 a?b#c:d"
    folder.mkdir()
    settings = {}
    if request.param == "external":
        settings = {
            "SADDLE_DATABASE_URL": request.getfixturevalue("module_postgres_url"),
            "SADDLE_REDIS_URL": request.getfixturevalue("redis_server").url,
        }
    with serving(folder, wait_for, **settings) as running:
        yield running
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
    kept = {path.name for path in folder.iterdir()}
    assert {"artifacts", "api-key"} <= kept
    assert {"saddle.db", "redis"} & kept == ({"saddle.db", "redis"} if request.param == "embedded" else set())


def test_a_job_goes_the_whole_way_and_samples_are_the_same_bytes_after_a_restart(stack, wait_for):
    with stack.client() as client:
        posted = time.monotonic()
        job = client.create_job(SHORT | {"name": "digits"})
        waits: list[float] = []
        seen = []
        for event in client.follow_events(job.id):
            seen.append(event)
            if event.type == "metrics" and not waits:
                waits.append(time.monotonic() - posted)
        assert [event.id for event in seen] == list(range(1, len(seen) + 1))
        assert seen[-1].data["status"] == "succeeded"
        ended = client.job(job.id)
        assert ended.status == "succeeded"
        assert ended.progress.images_seen == 12_800
        ticks = client.metrics(job.id).images_seen
        assert list(ticks) == [event.images_seen for event in seen if event.type == "metrics"]
        grid = client.samples_png(job.id, count=10, seed=7)
        assert grid.png.startswith(b"\x89PNG")
        many = client.samples(job.id, count=100, seed=7, file_format="npz")
        assert np.load(io.BytesIO(many))["images"].shape == (100, 8, 8, 1)
        stack.kill("api.main", but="embedded.keep")
        wait_for(lambda: not stack.is_ready(), what="the API's end")
        wait_for(stack.is_ready, what="the API's return")
        assert client.samples_png(job.id, count=10, seed=7) == grid
        assert client.samples(job.id, count=100, seed=7, file_format="npz") == many
        assert client.samples_png(job.id, count=10, seed=8).png != grid.png


def test_a_folder_of_pictures_becomes_a_model(stack, tmp_path):
    for seed in range(40):
        place = tmp_path / "pets" / ("cats", "dogs")[seed % 2] / f"{seed}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(picture(seed, form="JPEG"))
    (tmp_path / "pets" / "notes.txt").write_text("hello")

    def saddle(*arguments: str, code: int = 0) -> str:
        environment = {"SADDLE_URL": stack.url, "SADDLE_API_KEY": stack.key_file.read_text().strip()}
        ended = CliRunner().invoke(cli.app, arguments, env=environment, catch_exceptions=False)
        assert ended.exit_code == code, ended.output
        return ended.output

    added = saddle("datasets", "add", "pets", str(tmp_path / "pets"), "--resolution", "28")
    assert "36 images to train on and 4 held out, 28x28 colour, 2 classes" in added
    assert "pets" in saddle("datasets", "list")
    assert "status: ready" in saddle("datasets", "show", "pets")
    assert "images are few" in saddle("datasets", "report", "pets")
    assert "already a dataset named pets" in saddle("datasets", "add", "pets", str(tmp_path / "pets"), code=3)
    tiny_spec = (
        "--set",
        "batch_size=16",
        "--set",
        "evaluation.metrics=[]",
        "--set",
        'architecture={"kind": "mlp", "generator_widths": [8]}',
    )
    job_id = saddle("submit", "--dataset", "pets", "--images", "64", *tiny_spec).strip()
    saddle("watch", job_id)
    png = tmp_path / "samples.png"
    saddle("sample", job_id, "--count", "4", "-o", str(png))
    assert png.read_bytes().startswith(b"\x89PNG")
    paused = saddle("submit", "--dataset", "pets", *tiny_spec).strip()
    saddle("pause", paused)
    assert paused in saddle("datasets", "delete", "pets", code=3)
    saddle("cancel", paused)
    with stack.client() as client:
        for event in client.follow_events(paused):
            assert event.type != "evaluation"
    assert "deleted" in saddle("datasets", "delete", "pets")
    assert "there is no dataset pets" in saddle("datasets", "report", "pets", code=2)


def test_a_job_survives_the_death_of_its_trainer_and_of_its_worker(stack, wait_for):
    with stack.client() as client:
        job_id = client.create_job(LONG).id

        def past(images: int, *, attempt: int) -> bool:
            job = client.job(job_id)
            return job.attempt == attempt and job.progress.images_seen > images and job.latest_checkpoint is not None

        wait_for(lambda: past(6_400, attempt=1), what="the first checkpoint")
        stack.kill("worker.runner")
        wait_for(lambda: past(12_800, attempt=2), what="progress of the second attempt")
        stack.kill("celery", but="embedded.keep")
        wait_for(lambda: client.job(job_id).attempt == 3, seconds=40, what="the third attempt")
        wait_for(lambda: client.job(job_id).has_ended, seconds=90, what="the end")
        job = client.job(job_id)
        assert job.status == "succeeded", job.reason
        ticks = client.metrics(job_id).images_seen
        spacing = np.diff([images for images in ticks if images >= 640 * 2])
        assert set(spacing) == {640}, "the series has no gap and no repetition"
        assert ticks[-1] == 64_000
        ids = [event.id for event in client.past_events(job_id)]
        assert ids == list(range(1, len(ids) + 1))


def test_stopping_the_service_during_a_job_loses_nothing(tmp_path, wait_for):
    with serving(tmp_path, wait_for) as stack, stack.client() as client:
        job_id = client.create_job(LONG).id
        wait_for(lambda: client.job(job_id).progress.images_seen > 2_000, what="progress")
    with serving(tmp_path, wait_for) as stack, stack.client() as client:
        job = client.job(job_id)
        assert job.status in {"queued", "running"}
        wait_for(lambda: client.job(job_id).attempt == 2, what="the second attempt")
        client.cancel_job(job_id)
        wait_for(lambda: client.job(job_id).status == "cancelled", seconds=10, what="the cancel")
        assert client.job(job_id).latest_checkpoint
        stops = [event.data for event in client.past_events(job_id) if event.type == "state"]
        assert "worker_stopped" in [stop["reason"]["code"] for stop in stops if stop["reason"]]


def test_a_second_stack_on_the_same_data_is_refused(stack):
    second = subprocess.run(
        [sys.executable, "-m", "embedded.serve"],
        cwd=ROOT,
        env={**os.environ, "SADDLE_DATA_DIR": str(stack.key_file.parent)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert second.returncode == 1
    assert "running on" in second.stderr
