"""Limits of a job's attempts, forks, and checkpoints that are pinned"""

import sqlalchemy as sa

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# What rows of before had: five crashes ended a job.
JOBS = (
    sa.Column("max_attempts", sa.BigInteger(), nullable=False, server_default="5"),
    sa.Column("max_seconds", sa.Double(), nullable=True),
    sa.Column("forked_from_job", sa.String(length=40), nullable=True),
    sa.Column("forked_from_checkpoint", sa.String(length=40), nullable=True),
    sa.Column("held_since", sa.Double(), nullable=True),
    sa.Column("seconds_run", sa.Double(), nullable=False, server_default="0"),
)


def upgrade() -> None:
    for column in JOBS:
        op.add_column("jobs", column)
    op.add_column("checkpoints", sa.Column("pinned", sa.Boolean(), nullable=False, server_default=sa.false()))
    with op.batch_alter_table("jobs") as batch_op:
        batch_op.alter_column("max_attempts", server_default=None)
        batch_op.alter_column("seconds_run", server_default=None)
    with op.batch_alter_table("checkpoints") as batch_op:
        batch_op.alter_column("pinned", server_default=None)


def downgrade() -> None:
    op.drop_column("checkpoints", "pinned")
    for column in reversed(JOBS):
        op.drop_column("jobs", column.name)
