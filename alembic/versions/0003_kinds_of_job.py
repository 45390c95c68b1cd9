"""Kinds of job: the jobs of before train"""

import sqlalchemy as sa

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The default stays: to drop it, SQLite would have to copy the table; and an older API can still insert jobs.
    op.add_column("jobs", sa.Column("kind", sa.String(length=32), nullable=False, server_default="training"))


def downgrade() -> None:
    op.drop_column("jobs", "kind")
