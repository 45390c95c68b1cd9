"""Ranks of checkpoints, by which the best is found"""

import json
import sys

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(JSONB(), "postgresql")
CHECKPOINTS = sa.table("checkpoints", sa.column("id", sa.String()), sa.column("quality", JSON), sa.column("rank", JSON))


def upgrade() -> None:
    op.add_column("checkpoints", sa.Column("rank", JSON, nullable=True))
    text = sa.cast(CHECKPOINTS.c.quality, sa.Text())
    for checkpoint_id, quality in op.get_bind().execute(sa.select(CHECKPOINTS.c.id, text)).all():
        if quality is not None and (found := json.loads(quality)) is not None:
            row = CHECKPOINTS.update().where(CHECKPOINTS.c.id == checkpoint_id)
            op.get_bind().execute(row.values(rank=_rank(found)))


def downgrade() -> None:
    op.drop_column("checkpoints", "rank")


def _rank(quality: dict) -> list[float]:
    """As the release before this one compared checkpoints."""
    fid = quality.get("fid", 0.0 if "modes" in quality else sys.float_info.max)
    return [fid, -quality.get("modes", 0.0), -quality.get("high_quality", 0.0), quality.get("kl", 0.0)]
