"""Promise 11: a job that does not fit fails alone, once, and says why."""

import psutil
import pytest

from tests.faults.jobs import QUICK

pytestmark = pytest.mark.promise(11, "OOM is isolated")
MEMORY_BYTES = 5 * 2**29
"""Address space of each of the processes of a worker; a trainer of small networks has a third of it."""
OVERSIZED = QUICK | {"architecture": {"generator_widths": [8192] * 6, "discriminator_widths": [8192] * 6}}


@pytest.mark.faults(small=1, full=5, small_on=["SQLite"])
@pytest.mark.timeout(900)
def test_an_oversized_job_fails_alone(stack, count, ledger, wait_for):
    worker = psutil.Process(stack.workers[0].pid)
    for process in [worker, *worker.children(recursive=True)]:
        process.rlimit(psutil.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    with stack.client() as client:
        pairs = [(client.create_job(OVERSIZED).id, client.create_job(QUICK).id) for _ in range(count)]
        for oversized, good in pairs:
            ledger.fault("oversized job")
            wait_for(lambda good=good: stack.job(good).ended_at, seconds=180, what="the good job's end")
            for job_id, wanted in ((oversized, ("failed", "out_of_memory", 1)), (good, ("succeeded", "completed", 1))):
                job = stack.job(job_id)
                ledger.outcome(f"{job.status}: {job.reason_code}")
                found = (job.status, job.reason_code, job.attempt)
                ledger.expect(found == wanted, f"{found}, not {wanted}: {job.reason_message}")
    stack.workers[0].stop()  # its limit with it; `mend` starts another
