"""Evaluations of checkpoints"""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "evaluations",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("subject_job", sa.String(length=40), nullable=False),
        sa.Column("subject_checkpoint", sa.String(length=40), nullable=False),
        sa.Column("images_seen", sa.BigInteger(), nullable=False),
        sa.Column("metrics", JSON, nullable=False),
        sa.Column("wish", JSON, nullable=False),
        sa.Column("job_id", sa.String(length=40), nullable=False),
        sa.Column("figures", JSON, nullable=True),
        sa.Column("unavailable", JSON, nullable=True),
        sa.Column("protocol", JSON, nullable=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_evaluations_job_id"),
        sa.PrimaryKeyConstraint("id", name="pk_evaluations"),
    )
    op.create_index("ix_evaluations_tenant_subject_job", "evaluations", ["tenant", "subject_job"])


def downgrade() -> None:
    op.drop_index("ix_evaluations_tenant_subject_job", "evaluations")
    op.drop_table("evaluations")
