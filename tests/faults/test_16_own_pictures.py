"""Promise 16: uploads, imports and evaluations come out whole and equal, whatever dies meanwhile."""

import contextlib
import random
import secrets
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
from sqlalchemy import select

from store import tables
from tests.faults.jobs import QUICK
from tests.faults.posting import insist
from tests.pictures import cats_and_dogs

pytestmark = pytest.mark.promise(16, "Own pictures and figures come out whole")
PICTURES = 300
WISH = {"metrics": ["random_distance"], "protocol": {"samples": 1000, "extractor": "imagenet"}}
VICTIMS = ("runner", "worker", "redis", "api")
SECONDS = 120


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return cats_and_dogs(tmp_path_factory.mktemp("pets") / "pets.zip", number=PICTURES).read_bytes()


def upload(http, archive, *, name):
    """Send the file until there is an answer, each time whole and under the same key."""
    headers = {"Idempotency-Key": name}

    def send():
        return http.post("/v1/datasets", data={"name": name}, files={"file": ("pets.zip", archive)}, headers=headers)

    return insist(send)


def imported(stack, http, wait_for, dataset_id):
    """Return a dataset once its import has ended."""

    def look():
        found = insist(lambda: http.get(f"/v1/datasets/{dataset_id}")).json()
        return found if found["status"] in {"ready", "failed"} else None

    wait_for(look, seconds=SECONDS, what="the import's end")
    return look()


def kill(stack, victim):
    match victim:
        case "api":
            stack.api.kill()
        case "runner":
            for runner in stack.trainers():
                with contextlib.suppress(psutil.NoSuchProcess):  # it ended just now
                    runner.kill()
        case "worker":
            stack.workers[0].kill()
        case "redis":
            stack.redis.kill()
    stack.mend()


@pytest.mark.faults(small=1, full=20, small_on=["SQLite"])
@pytest.mark.timeout(7200)
def test_a_file_whose_upload_was_cut_off_is_one_dataset_or_none(stack, count, ledger, wait_for, archive):
    with stack.http() as http, ThreadPoolExecutor(1) as thread:
        for _ in range(count):
            name = secrets.token_hex(8)
            sent = thread.submit(upload, http, archive, name=name)
            time.sleep(random.uniform(0, 0.3))  # anywhere in the upload's course
            stack.api.kill()
            ledger.fault("API killed during an upload")
            stack.mend()
            answer = sent.result()
            ledger.expect(answer.status_code == 202, f"an upload was answered {answer.status_code}: {answer.text}")
            found = imported(stack, http, wait_for, answer.json()["id"])
            ledger.expect(found["status"] == "ready", f"the import failed: {found['reason']}")
            with stack.database.read() as session:
                rows = list(session.scalars(select(tables.Dataset).where(tables.Dataset.name == name)))
            ledger.expect(len(rows) == 1, f"{len(rows)} datasets of one name")
            ledger.outcome("one dataset")


@pytest.mark.faults(small=1, full=20, small_on=["SQLite"])
@pytest.mark.timeout(7200)
def test_an_import_that_was_disturbed_is_the_one_that_was_not(impatient_stack, count, ledger, wait_for, archive):
    stack = impatient_stack
    with stack.http() as http:
        expected = imported(stack, http, wait_for, upload(http, archive, name=secrets.token_hex(8)).json()["id"])
        for number in range(count):
            victim = VICTIMS[number % len(VICTIMS)]
            made = upload(http, archive, name=secrets.token_hex(8)).json()
            time.sleep(random.uniform(0, 2.5))
            kill(stack, victim)
            ledger.fault(f"{victim} killed during an import")
            found = imported(stack, http, wait_for, made["id"])
            same = (found["status"], found["digest"]) == ("ready", expected["digest"])
            ledger.expect(same, f"{victim}: {found['status']}, {found['reason']}, digest {found['digest']}")
            report = http.get(f"/v1/datasets/{made['id']}/report").json()
            ledger.expect(report["images"] + report["holdout_images"] == PICTURES, f"{victim}: pictures are missing")
            folders = list((stack.folder / "artifacts" / "datasets" / made["id"]).glob("[!.]*"))
            ledger.expect(len(folders) == 1, f"{victim}: {[folder.name for folder in folders]} are left")
            ledger.outcome("equal to the undisturbed one")


@pytest.mark.faults(small=1, full=20, small_on=["SQLite"])
@pytest.mark.timeout(7200)
def test_an_evaluation_that_was_disturbed_has_equal_digits(impatient_stack, count, ledger, wait_for):
    stack = impatient_stack
    with stack.http() as http:
        job_id = insist(lambda: http.post("/v1/jobs", json=QUICK)).json()["id"]
        wait_for(lambda: stack.job(job_id).ended_at, seconds=SECONDS, what="the job's end")

        def evaluate(disturb):
            key = {"Idempotency-Key": secrets.token_hex(8)}
            made = insist(lambda: http.post("/v1/evaluations", json=WISH | {"job": job_id}, headers=key)).json()
            disturb()

            def look():
                found = insist(lambda: http.get(f"/v1/evaluations/{made['id']}")).json()
                return found if found["status"] in {"succeeded", "failed"} else None

            wait_for(look, seconds=SECONDS, what="the evaluation's end")
            return look()

        expected = evaluate(lambda: None)
        for number in range(count):
            victim = VICTIMS[number % len(VICTIMS)]

            def disturb(victim=victim):
                time.sleep(random.uniform(0, 4))
                kill(stack, victim)
                ledger.fault(f"{victim} killed during an evaluation")

            found = evaluate(disturb)
            same = (found["status"], found["figures"]) == ("succeeded", expected["figures"])
            ledger.expect(same, f"{found['status']}, {found['reason']}, {found['figures']}")
            ledger.outcome("equal digits")
