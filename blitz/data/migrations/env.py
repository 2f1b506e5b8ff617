"""How Alembic runs: on the connection, and in the transaction, that :func:`blitz.data.migrations.upgrade` gives it."""

from alembic import context

from blitz.data.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
