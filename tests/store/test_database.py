import json
from concurrent.futures import ThreadPoolExecutor

import alembic.command
import alembic.config
import pytest
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import OperationalError

from store import database, events, jobs, migrations, payloads, runs
from store.database import Database
from tests.store.rows import claim, create, get


@pytest.fixture
def postgres_url(own_postgres_url: str) -> str:
    """The tests change the tables."""
    return own_postgres_url


def config(url: str) -> alembic.config.Config:
    made = alembic.config.Config()
    made.set_main_option("script_location", str(migrations.FOLDER))
    made.attributes["url"] = url
    return made


def test_the_migrations_make_the_tables_that_the_code_expects(database_url):
    alembic.command.check(config(database_url))


def test_the_migrations_can_be_taken_back(database_url):
    alembic.command.downgrade(config(database_url), "base")
    engine = create_engine(database_url)
    assert set(inspect(engine).get_table_names()) <= {"alembic_version"}
    engine.dispose()
    migrations.upgrade(database_url)
    alembic.command.check(config(database_url))


def test_a_database_with_jobs_is_upgraded_with_all_that_they_have(db, database_url):
    """On SQLite a table that is copied and dropped would take the rows along that refer to it."""
    job_id = create(db)
    assert claim(db, job_id)
    with db.write() as session:
        message = payloads.Message("before")
        runs.record_event(session, job_id=job_id, attempt=1, kind="log", images_seen=0, data=message)
    alembic.command.downgrade(config(database_url), "0002")
    engine = create_engine(database_url)
    assert "kind" not in [column["name"] for column in inspect(engine).get_columns("jobs")]
    engine.dispose()
    migrations.upgrade(database_url)
    job = get(db, job_id)
    assert (job.kind, job.status, job.attempt) == (jobs.TRAINING, "running", 1)
    with db.read() as session:
        assert len(events.after(session, job_id=job_id, event_id=0, limit=10)) == 3
    assert get(db, create(db, kind="counting")).kind == "counting"


def test_a_spec_of_before_gets_the_facts_that_its_dataset_had(database_url):
    alembic.command.downgrade(config(database_url), "0003")
    engine = create_engine(database_url)
    job = {"id": "job_1", "tenant": "t", "status": "paused", "dataset": "ring", "labels": "{}", "keep_latest": 1}
    job |= {"keep_best": 1, "max_attempts": 5, "images_seen": 0, "seconds_trained": 0, "attempt": 0, "crashes": 0}
    job |= {"seconds_run": 0, "available_at": 0, "last_event_id": 0, "created_at": 0}
    job |= {"spec": json.dumps({"seed": 3, "dataset": {"kind": "builtin", "name": "ring", "resolution": 1}})}
    with engine.begin() as connection:
        values = ", ".join(f":{name}" for name in job)
        connection.execute(text(f"INSERT INTO jobs ({', '.join(job)}) VALUES ({values})"), job)
    engine.dispose()
    migrations.upgrade(database_url)
    db = Database(database_url, deliver=lambda outbox: None)
    with db.read() as session:
        spec = jobs.get(session, job_id="job_1", tenant="t").spec
    db.close()
    assert (spec["seed"], spec["dataset"]["kind"], spec["dataset"]["name"]) == (3, "builtin", "ring")
    assert spec["dataset"]["facts"]["modes"] == spec["dataset"]["facts"]["classes"] == 8
    assert "resolution" not in spec["dataset"]


def test_concurrent_writers_wait_for_each_other(db):
    job_id = create(db)
    assert claim(db, job_id)

    def write(worker: int) -> None:
        for number in range(25):
            with db.write() as session:
                images = 1000 * worker + number
                runs.record_tick(
                    session, job_id=job_id, attempt=1, images_seen=images, seconds_trained=0, values={"loss_g": 0}
                )

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    with db.read() as session:
        assert len(events.series(session, job_id=job_id, after_images=-1)) == 200


def test_work_is_tried_again_while_the_database_is_away():
    failures = iter([OperationalError("s", {}, Exception("gone"))] * 2)

    def work() -> str:
        for failure in failures:
            raise failure
        return "done"

    assert database.retry(work, seconds=5) == "done"


def test_an_outage_that_outlasts_the_patience_is_raised():
    def work() -> None:
        raise OperationalError("s", {}, Exception("gone"))

    with pytest.raises(OperationalError):
        database.retry(work, seconds=0.2)


def test_a_statement_that_can_never_succeed_is_no_outage_and_is_tried_once(db):
    tried = []

    def work() -> None:
        tried.append(1)
        with db.read() as session:
            session.execute(text("SELECT " + ", ".join("1" * 3000)))

    with pytest.raises(OperationalError) as refused:
        database.retry(work, seconds=30)
    assert not database.is_outage(refused.value)
    assert len(tried) == 1


def test_a_locked_database_is_an_outage(tmp_path):
    url = f"sqlite:///{tmp_path / 'locked.db'}"
    migrations.upgrade(url)
    db = Database(url, deliver=lambda outbox: None)
    impatient = create_engine(url, connect_args={"timeout": 0})
    with impatient.connect() as other, db.write(), pytest.raises(OperationalError) as refused:
        other.exec_driver_sql("BEGIN IMMEDIATE")
    assert database.is_outage(refused.value)
    impatient.dispose()
    db.close()


def test_a_database_without_tables_does_not_answer_the_ping(tmp_path):
    empty = Database(f"sqlite:///{tmp_path / 'empty.db'}", deliver=lambda outbox: None)
    with pytest.raises(OperationalError):
        empty.ping()
    empty.close()
