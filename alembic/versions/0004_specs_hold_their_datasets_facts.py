"""Specs of jobs hold the facts of their dataset"""

import json

import sqlalchemy as sa

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# As they were when specs took them from the release that read them. This page never changes with a dataset.
COMMON = {"flips_natural": False, "features": None, "channels_alike": False, "modes": None}
FACTS = {
    "fashion-mnist": COMMON
    | {"resolution": 28, "channels": 1, "images": 60_000, "classes": 10, "features": "garments"},
    "digits": COMMON | {"resolution": 8, "channels": 1, "images": 1_797, "classes": 10},
    "ring": COMMON | {"resolution": 1, "channels": 2, "images": 100_000, "classes": 8, "modes": 8},
    "grid": COMMON | {"resolution": 1, "channels": 2, "images": 100_000, "classes": 25, "modes": 25},
    "stacked-fashion": COMMON
    | {"resolution": 28, "channels": 3, "images": 60_000, "classes": 1000, "channels_alike": True, "modes": 1000},
}
JOBS = sa.table("jobs", sa.column("id", sa.String()), sa.column("spec", sa.JSON()))


def upgrade() -> None:
    for job_id, spec in _specs():
        name = spec["dataset"]["name"]
        _store(job_id, spec | {"dataset": {"kind": "builtin", "name": name, "facts": FACTS[name]}})


def downgrade() -> None:
    for job_id, spec in _specs():
        name, resolution = spec["dataset"]["name"], spec["dataset"]["facts"]["resolution"]
        _store(job_id, spec | {"dataset": {"kind": "builtin", "name": name, "resolution": resolution}})


def _specs() -> list[tuple[str, dict]]:
    # As text on both databases, for the one column that is JSON on SQLite and JSONB on PostgreSQL.
    rows = op.get_bind().execute(sa.select(JOBS.c.id, sa.cast(JOBS.c.spec, sa.Text()))).all()
    specs = ((job_id, json.loads(text)) for job_id, text in rows)
    return [(job_id, spec) for job_id, spec in specs if "dataset" in spec]


def _store(job_id: str, spec: dict) -> None:
    op.get_bind().execute(JOBS.update().where(JOBS.c.id == job_id).values(spec=spec))
