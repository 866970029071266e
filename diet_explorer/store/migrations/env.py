"""Alembic's entry point; the connection comes from `diet_explorer.store.database`."""

from alembic import context

from diet_explorer.store.tables import Base

context.configure(
    connection=context.config.attributes["connection"], target_metadata=Base.metadata, render_as_batch=True
)
with context.begin_transaction():
    context.run_migrations()
