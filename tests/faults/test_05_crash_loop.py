"""Promise 5: a job that crashes again and again ends, and delays no other."""

from pathlib import Path

import pytest

from tests.faults.jobs import QUICK

pytestmark = pytest.mark.promise(5, "Crash loops end")


@pytest.fixture(scope="module")
def sabotaged(setup, start_stack):
    path = str(Path(__file__).parent / "sabotage")
    return start_stack(setup, settings={"PYTHONPATH": path, "SADDLE_BACKOFF_SECONDS": "0"})


@pytest.mark.faults(small=2, full=5, small_on=["SQLite"])
@pytest.mark.timeout(600)
def test_a_trainer_that_kills_itself_has_exactly_its_attempts(sabotaged, count, ledger, wait_for):
    stack = sabotaged
    stack.mend()
    stack.workers[0].stop()
    with stack.client() as client:
        doomed_id = client.create_job(QUICK | {"max_attempts": count}).id
        (stack.folder / "sabotage").mkdir(exist_ok=True)
        (stack.folder / "sabotage" / doomed_id).touch()
        stack.workers[0].start()
        good = [client.create_job(QUICK).id for _ in range(2)]
        wait_for(lambda: all(stack.job(job_id).ended_at for job_id in (doomed_id, *good)), seconds=120, what="the ends")
        doomed = stack.job(doomed_id)
        for _ in range(doomed.crashes):
            ledger.fault("trainer killed itself")
        ledger.outcome(doomed.status)
        ledger.expect(
            (doomed.status, doomed.reason_code, doomed.attempt) == ("failed", "crashed", count),
            f"{doomed.status}, {doomed.reason_code}, {doomed.attempt} attempts of {count}",
        )
        ledger.expect("signal 9" in doomed.reason_message, f"the reason is {doomed.reason_message}")
        for job_id in good:
            job = stack.job(job_id)
            ledger.outcome(job.status)
            ledger.expect((job.status, job.attempt) == ("succeeded", 1), f"another job: {job.status}")
