"""Promise 1: every job answered with 202 ends, even if the API dies before it publishes and Redis loses its hints."""

import contextlib
import random
import secrets

import pytest

from store import states
from tests.faults.jobs import QUICK
from tests.faults.posting import at_once, post

pytestmark = pytest.mark.promise(1, "An accepted job is never lost")
POSTERS = 5
POSTS_EACH = 5


@pytest.mark.faults(small=1, full=20)
def test_every_accepted_job_ends(stack, count, ledger, wait_for):
    batch = secrets.token_hex(4)
    accepted: set[str] = set()
    untold = [_round(stack, ledger, accepted, batch=f"{batch}-{number}", wait_for=wait_for) for number in range(count)]

    def rows():
        return {job.id: job for job in stack.jobs() if job.name and job.name.startswith(batch)}

    for job_id in accepted - rows().keys():
        ledger.violation(f"{job_id} was accepted and has no row")
    for job_id in rows().keys() - accepted:
        ledger.violation(f"{job_id} has a row and was never accepted")
    stack.cancel(rows().keys() - set(untold))  # to train them all would only take long
    with contextlib.suppress(AssertionError):  # what has not ended by then is counted below
        wait_for(lambda: all(job.status in states.ENDED for job in rows().values()), seconds=60 + 15 * count)
    for job in rows().values():
        ledger.outcome(job.status)
        ledger.expect(job.status in states.ENDED, f"{job.id} is {job.status} for ever")
        if job.id in untold:
            ledger.expect(job.status == "succeeded", f"{job.id}, of which nobody was told, is {job.status}")


def _round(stack, ledger, accepted, *, batch, wait_for):
    """Send 25 POSTs, of which one is the API's last. Return the id of that one's job."""
    fatal = random.randrange(POSTERS)
    untold = []

    def submit(poster):
        if poster == POSTERS:
            untold.append(_serve_again(stack, ledger))
            return
        with stack.http() as http:
            for number in range(POSTS_EACH):
                if (poster, number) == (fatal, 1):
                    stack.redis.kill()
                    ledger.fault("Redis killed")
                if (poster, number) == (fatal, 2):
                    stack.redis.start()
                if (poster, number) == (fatal, 3):
                    stack.order_death_at_commit()
                name = f"{batch}-{poster}-{number}"
                answer = post(http, QUICK | {"name": name}, key=name)
                if answer.status_code == 202:
                    accepted.add(answer.json()["id"])
                else:
                    ledger.violation(f"a POST was answered {answer.status_code}: {answer.text[:200]}")

    at_once(POSTERS + 1, submit)
    stack.redis.flush()
    ledger.fault("Redis flushed")
    wait_for(stack.answers, what="the API's return")
    return untold[0]


def _serve_again(stack, ledger):
    job_id = stack.await_death_at_commit()
    ledger.fault("API killed between commit and publish")
    ledger.expect(stack.job(job_id) is not None, f"{job_id} was to be committed when the API died")
    stack.api.start()
    return job_id
