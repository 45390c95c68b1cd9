"""Settings: wrong ones are explained in one line that says what to write, and right ones are used."""

import os

import pytest
from pydantic import ValidationError
from sqlalchemy.engine import make_url

from store import migrations
from store.database import Database
from store.settings import WRONG, Settings, explain
from tests.store.rows import create, get

SECRET = "s3cr3t"
WRONG_ADDRESSES = {
    "mysql://h/name": "postgresql+psycopg://",
    "postgresql+psycopg2://h/name": "driver psycopg; write postgresql+psycopg://",
    "postgresql+asyncpg://h/name": "driver psycopg; write postgresql+psycopg://",
    "saddle.db": "is no address",
    "://": "PostgreSQL or SQLite",
    f"postgresql://u:{SECRET}@h:abc/name": "port",
    f"postgresql://u:{SECRET}@h:99999/name": "port 99999",
    f"postgresql://u:{SECRET}@x@h/name": "%40 for @",
    "postgresql://h/name?sslmod=require": "'sslmod'",
    "sqlite://saddle.db": "three",
    "sqlite://": "names no file",
    "sqlite:///:memory:": "names no file",
    "sqlite:////data/a?b/saddle.db": "%3F",
    "sqlite:////data/a?b=c&d/saddle.db": "%3F",
}
WRONG_REDIS = {
    "localhost:6379": "redis://",
    "http://h:6379": "redis://",
    "unix:///run/redis.sock": "redis://",
    f"redis://:{SECRET}@h:abc/0": "port",
    "redis://h:99999": "port",
    "redis://h:0/0": "port 0",
    "redis://h/first": "/first",
    "redis://h/-1": "/-1",
    "redis://h/0?socket_timeout=soon": "option",
}
WRONG_VALUES = [
    ("PORT", "http", "SADDLE_PORT=8000"),
    ("PORT", "", "SADDLE_PORT=8000"),
    ("PORT", "70000", "65535"),
    ("AUTH", "maybe", "'keys' or 'none'"),
    ("DEVICE", "gpu", "cuda:0"),
    ("DEVICE", "cuda:", "cuda:0"),
    ("PROCESSES", "0", "greater than or equal to 1"),
    ("LEASE_SECONDS", "a minute", "SADDLE_LEASE_SECONDS=60"),
    ("LEASE_SECONDS", "nan", "finite"),
    ("RECONCILE_SECONDS", "inf", "finite"),
    ("SWEEP_SECONDS", "1e12", "less than or equal"),
    ("CONTROL_SECONDS", "-1", "greater than 0"),
    ("MIN_FREE_BYTES", "9" * 5000, "SADDLE_MIN_FREE_BYTES"),
    ("MAX_BODY_BYTES", "1 MB", "SADDLE_MAX_BODY_BYTES=1000000"),
]
HARD_NAMES = ["a?b", "100%41", "a#b", "a b", "a:b", "a;b&c=d+e", "ä", "%", "a\\b'\"c", "[x]@y"]
"""Names with characters that mean something in an address."""


def told(monkeypatch, **variables: str) -> str:
    """Return the line about a wrong environment."""
    for name, value in variables.items():
        monkeypatch.setenv(f"SADDLE_{name}", value)
    with pytest.raises(ValidationError) as refusal:
        Settings()
    line = explain(refusal.value)
    assert "\n" not in line
    assert len(line) < 800
    assert SECRET not in line
    return line


@pytest.mark.parametrize(("address", "words"), WRONG_ADDRESSES.items())
def test_a_wrong_address_of_the_database_is_told(monkeypatch, address, words):
    line = told(monkeypatch, DATABASE_URL=address)
    assert line.startswith("SADDLE_DATABASE_URL ")
    assert words in line


@pytest.mark.parametrize(("address", "words"), WRONG_REDIS.items())
def test_a_wrong_address_of_redis_is_told(monkeypatch, address, words):
    line = told(monkeypatch, REDIS_URL=address)
    assert line.startswith("SADDLE_REDIS_URL ")
    assert words in line


@pytest.mark.parametrize(("name", "value", "words"), WRONG_VALUES)
def test_a_wrong_value_is_told_with_an_example(monkeypatch, name, value, words):
    line = told(monkeypatch, **{name: value})
    assert line.startswith(f"SADDLE_{name} ")
    assert words in line


def test_settings_that_do_not_go_together_are_told(monkeypatch):
    assert "half of SADDLE_LEASE_SECONDS" in told(monkeypatch, LEASE_SECONDS="10", HEARTBEAT_SECONDS="6")
    monkeypatch.delenv("SADDLE_HEARTBEAT_SECONDS")
    assert "SADDLE_HOST=127.0.0.1" in told(monkeypatch, AUTH="none", HOST="0.0.0.0")


def test_all_wrong_settings_are_told_at_once(monkeypatch):
    line = told(monkeypatch, PORT="http", AUTH="maybe", DATABASE_URL="mysql://h/name")
    assert all(f"SADDLE_{name} " in line for name in ("PORT", "AUTH", "DATABASE_URL"))


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_an_address_of_postgresql_means_the_driver_that_is_there(scheme, monkeypatch):
    monkeypatch.setenv("SADDLE_DATABASE_URL", f" {scheme}://u:p%40ss@h:5432/name?sslmode=require\n")
    url = Settings().database
    assert url.drivername == "postgresql+psycopg"
    assert (url.username, url.password, url.host, url.port, url.database) == ("u", "p@ss", "h", 5432, "name")
    assert url.query == {"sslmode": "require"}


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_such_an_address_reaches_the_database(postgres_url, scheme, monkeypatch):
    monkeypatch.setenv("SADDLE_DATABASE_URL", postgres_url.replace("postgresql+psycopg", scheme))
    db = Database(Settings().database, deliver=lambda outbox: None)
    db.ping()
    db.close()


@pytest.mark.parametrize("name", HARD_NAMES)
def test_the_database_lies_in_the_data_folder_whatever_its_name(tmp_path, monkeypatch, name):
    folder = tmp_path / name / "data"
    monkeypatch.setenv("SADDLE_DATA_DIR", str(folder))
    url = Settings.read().database
    migrations.upgrade(url)
    db = Database(url, deliver=lambda outbox: None)
    assert get(db, create(db)).status == "queued"
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert {"saddle.db", "saddle.db-wal"} <= {path.name for path in folder.iterdir()}
    db.close()
    assert make_url(url.render_as_string(hide_password=False)) == url, "the address survives being written as text"


def test_a_data_folder_that_cannot_be_is_told(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "within"):
        assert f"{tmp_path / 'file'} is a file" in told(monkeypatch, DATA_DIR=str(folder))
    assert "cannot be used (File name too long)" in told(monkeypatch, DATA_DIR=f"{tmp_path}/{'x' * 300}")


def test_a_data_folder_that_cannot_be_written_to_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root, who may run the tests, writes everywhere
    assert "cannot be written to; write" in told(monkeypatch, DATA_DIR=str(tmp_path / "new"))
    monkeypatch.setenv("SADDLE_DATABASE_URL", "postgresql://h/name")
    assert Settings().data_dir == tmp_path / "new", "a migration of PostgreSQL needs no folder"


def test_reading_the_settings_makes_no_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SADDLE_DATA_DIR", str(tmp_path / "new"))
    assert Settings.read().data_dir == tmp_path / "new"
    assert not (tmp_path / "new").exists()
    monkeypatch.setenv("SADDLE_PORT", "http")
    with pytest.raises(SystemExit) as end:
        Settings.read()
    assert end.value.code == WRONG
    assert capsys.readouterr().err.startswith("error: SADDLE_PORT ")
