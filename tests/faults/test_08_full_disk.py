"""Promise 8: a full disk pauses the job, and nothing that was saved is lost."""

import contextlib
import subprocess

import pytest

from tests.faults import saved
from tests.faults.jobs import ENDLESS

pytestmark = pytest.mark.promise(8, "Full disk survivable")
MIB = 2**20
DISK_MIB = 24
WIDE = ENDLESS | {
    "architecture": {"generator_widths": [256], "discriminator_widths": [256], "latent_dim": 64},
    "checkpoint": {"every_images": 6_400, "keep_latest": 1, "keep_best": 0},
}
"""A job that keeps nothing whose removal could make room."""


@pytest.fixture
def disk(stack):
    """Mount a small file system of its own for the artifacts."""
    place = stack.folder / "artifacts"
    place.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "saddle-test", str(place)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no file system can be mounted here: {error}")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.mark.faults(small=1, full=10, small_on=["SQLite"])
@pytest.mark.timeout(900)
def test_a_disk_that_fills_up_mid_save_costs_nothing(stack, disk, count, ledger, wait_for):
    with stack.client() as client:
        job_id = client.create_job(WIDE).id
        for _ in range(count):
            wait_for(lambda: saved.rows(stack, job_id), what="a checkpoint")
            _fill(disk / "filler")
            ledger.fault("disk filled")
            wait_for(lambda: stack.job(job_id).status == "paused", what="the pause")
            job = stack.job(job_id)
            ledger.expect(job.reason_code == "storage_full", f"paused for {job.reason_code}")
            for problem in saved.damaged(stack, job_id):
                ledger.violation(problem)
            ledger.expect(saved.rows(stack, job_id), "no checkpoint is left")
            ledger.expect(not list(disk.glob("jobs/*/checkpoints/.*")), "half a checkpoint takes up the space")
            ledger.expect(client.samples_png(job_id, count=4).png.startswith(b"\x89PNG"), "no samples are served")
            client.cancel_job(client.fork_job(job_id, {}).id)  # shares its parent's files
            ledger.outcome("forked")
            (disk / "filler").unlink()
            begun = job.images_seen
            client.resume_job(job_id)
            wait_for(lambda begun=begun: stack.job(job_id).images_seen > begun, what="progress after the pause")
            ledger.outcome("paused and resumed")


def _fill(path):
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(16 * 1024))
