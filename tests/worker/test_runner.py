"""The ends of a runner, whatever the kind of its job."""

import subprocess
import sys
from pathlib import Path

import pytest

from store import payloads, states
from store.errors import LeaseLost, StorageFull
from tests.worker.conftest import TINY
from worker import kinds, runner
from worker.attempt import Attempt, ExitStatus, Stopped

ROOT = Path(__file__).parent.parent.parent
WITHOUT_TORCH = "worker.app worker.tasks worker.supervisor worker.reconciler worker.runner worker.attempt worker.kinds"


def succeed(attempt: Attempt) -> None:
    attempt.finish(states.SUCCEEDED, payloads.Reason("completed", "done"))


def stop(attempt: Attempt) -> None:
    raise Stopped


def fill_the_disk(attempt: Attempt) -> None:
    raise StorageFull("the disk is full")


def forget_the_end(attempt: Attempt) -> None:
    attempt.log("working", images_seen=0)


@pytest.mark.parametrize(
    ("work", "exit_status", "status", "code"),
    [
        (succeed, ExitStatus.DONE, "succeeded", "completed"),
        (stop, ExitStatus.STOPPED, "running", None),
        (fill_the_disk, ExitStatus.DONE, "paused", "storage_full"),
    ],
)
def test_the_status_says_how_it_ended(attempt_at, submit, job_of, work, exit_status, status, code):
    job_id = submit(TINY)
    assert runner.run(attempt_at(job_id), work) == exit_status
    assert (job_of(job_id).status, job_of(job_id).reason_code) == (status, code)


def test_a_kind_that_forgets_to_end_its_job_crashes(attempt_at, submit):
    """Without the crash, the job would wait for its lease to run out."""
    with pytest.raises(RuntimeError, match="without an end"):
        runner.run(attempt_at(submit(TINY)), forget_the_end)


def test_a_lost_lease_is_no_end(attempt_at, submit, db):
    attempt = attempt_at(submit(TINY))
    succeed(attempt)
    with pytest.raises(LeaseLost):
        runner.run(attempt, succeed)


def test_an_unknown_kind_is_told():
    with pytest.raises(kinds.UnknownKind, match="training, dataset_import, evaluation, not juggling"):
        kinds.load("juggling")


def test_torch_is_imported_by_the_kinds_that_need_it_alone():
    script = f"import sys, {WITHOUT_TORCH.replace(' ', ', ')}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False).returncode == 0
