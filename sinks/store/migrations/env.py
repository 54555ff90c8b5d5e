"""What alembic runs to bring a store up to date. The connection is handed in by `sinks.database`."""

from alembic import context

from sinks.store.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
