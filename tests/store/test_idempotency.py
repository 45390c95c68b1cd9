from concurrent.futures import ThreadPoolExecutor

import pytest

from store import idempotency, jobs
from store.errors import IdempotencyMismatch
from tests.store.rows import new_job


def post(db, *, key: str = "k", fingerprint: str = "f", tenant: str = "default") -> str:
    """Do what the route does: reserve, create, fulfil, in one transaction."""
    with db.write() as session:
        earlier = idempotency.reserve(session, tenant=tenant, key=key, fingerprint=fingerprint)
        if earlier is not None:
            return earlier.body
        job = jobs.create(session, new=new_job(tenant=tenant))
        answer = idempotency.Answer(status=202, location=f"/v1/jobs/{job.id}", body=job.id)
        idempotency.fulfil(session, tenant=tenant, key=key, answer=answer)
        return answer.body


def test_fifty_at_once_with_one_key_make_one_job(db):
    with ThreadPoolExecutor(16) as pool:
        bodies = set(pool.map(lambda _: post(db), range(50)))
    assert len(bodies) == 1
    with db.read() as session:
        assert jobs.counts(session)["queued"] == 1


def test_the_key_with_another_request_is_refused(db):
    post(db)
    with pytest.raises(IdempotencyMismatch):
        post(db, fingerprint="other")


def test_keys_are_the_tenants_own(db):
    assert post(db) != post(db, tenant="other")


def test_a_failed_creation_leaves_the_key_free(db):
    with pytest.raises(RuntimeError), db.write() as session:
        assert idempotency.reserve(session, tenant="default", key="k", fingerprint="f") is None
        raise RuntimeError
    assert post(db)
