"""Promise 14: POSTs with one Idempotency-Key make one job, at once or one after the other, and over the API's death."""

import random
import secrets
import time

import pytest
from sqlalchemy import select

from store import tables
from tests.faults.jobs import QUICK
from tests.faults.posting import at_once, post

pytestmark = pytest.mark.promise(14, "A retried POST is safe")
POSTS = 50


@pytest.mark.faults(small=1, full=20)
def test_posts_at_once_with_one_key_make_one_job(stack, count, ledger):
    with stack.http() as http:
        for _ in range(count):
            key = secrets.token_hex(8)

            def send(_, *, key=key):
                return post(http, QUICK | {"name": key}, key=key)

            answers = at_once(POSTS, send)
            ledger.fault("POST sent 50 times at once")
            _check(stack, ledger, name=key, answers=answers)


@pytest.mark.faults(small=1, full=20)
def test_posts_with_one_key_make_one_job_though_the_api_dies(stack, count, ledger, wait_for):
    with stack.http() as http:
        for number in range(count):
            key = secrets.token_hex(8)
            spec = QUICK | {"name": key}

            def send(place: int, *, key=key, spec=spec, by_order=number % 2 == 0):
                if place == 0:
                    return _die(stack, by_order=by_order, wait_for=wait_for)
                return post(http, spec, key=key)

            committed, *answers = at_once(10, send)
            ledger.fault("API killed between commit and answer" if committed else "API killed at any time")
            _check(stack, ledger, name=key, answers=answers)
            ids = {answer.json()["id"] for answer in answers}
            ledger.expect(committed is None or ids == {committed}, f"{committed} was committed, {ids} answered")


def _die(stack, *, by_order, wait_for):
    """Kill the API and start it again; return the job that it had just committed, if that was the order."""
    committed = None
    if by_order:
        stack.order_death_at_commit()
        committed = stack.await_death_at_commit()
    else:
        time.sleep(random.uniform(0, 0.1))  # anywhere in the requests' course
        stack.api.kill()
    stack.api.start()
    wait_for(stack.answers, what="the API's return")
    return committed


def _check(stack, ledger, *, name, answers):
    for status in {answer.status_code for answer in answers}:
        ledger.expect(status == 202, f"a POST was answered {status}")
    ledger.expect(len({answer.content for answer in answers}) == 1, "the answers' bodies differ")
    ledger.expect(len({answer.headers.get("Location") for answer in answers}) == 1, "the answers' places differ")
    with stack.database.read() as session:
        ids = list(session.scalars(select(tables.Job.id).where(tables.Job.name == name)))
    ledger.expect(len(ids) == 1, f"{len(ids)} jobs were made by one key")
    ledger.outcome("one job", len(ids) == 1)
    stack.cancel(ids)
