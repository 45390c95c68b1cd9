"""Timelines of jobs"""

import sqlalchemy as sa

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "timeline_grids",
        sa.Column("job_id", sa.String(length=40), nullable=False),
        sa.Column("images_seen", sa.BigInteger(), nullable=False),
        sa.Column("path", sa.String(length=300), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_timeline_grids_job_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "images_seen", name="pk_timeline_grids"),
    )


def downgrade() -> None:
    op.drop_table("timeline_grids")
