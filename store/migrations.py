"""Migrations of the tables. A module of its own: processes that only use the tables need not import alembic."""

from pathlib import Path

import alembic.command
import alembic.config
from sqlalchemy import URL

FOLDER = Path(__file__).parent.parent / "alembic"


def upgrade(url: str | URL) -> None:
    """Upgrade the tables to the newest revision. Nothing else makes tables."""
    config = alembic.config.Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))  # alembic interpolates
    config.attributes["url"] = url
    alembic.command.upgrade(config, "head")
