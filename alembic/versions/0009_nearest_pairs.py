"""Pictures of the nearest pairs that evaluations found"""

import sqlalchemy as sa

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("evaluations", sa.Column("nearest", sa.String(length=300), nullable=True))


def downgrade() -> None:
    op.drop_column("evaluations", "nearest")
