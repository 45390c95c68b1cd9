"""Runs the migrations, on the address given by the caller or by the settings."""

import alembic.context
from sqlalchemy import create_engine, pool

from store import database, tables
from store.settings import Settings

context = alembic.context
url = context.config.attributes.get("url") or Settings.read().database
database.make_folder(url)
engine = create_engine(url, poolclass=pool.NullPool)

with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=tables.Table.metadata, render_as_batch=True)
    with context.begin_transaction():
        if connection.dialect.name == "postgresql":
            # Two that migrate at once: the second waits, then finds nothing left to do.
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7265001)")
        context.run_migrations()
