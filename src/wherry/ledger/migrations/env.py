"""How Alembic runs the scripts of this package: on the connection that `wherry.ledger.migrate` hands over."""

from alembic import context

from wherry.ledger.schema import METADATA

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=METADATA,
    # SQLite alters tables by copying them; batch mode writes scripts that do so there and alter elsewhere.
    render_as_batch=True,
)
# The engine is in autocommit mode; DDL is transactional in both databases, so begin by hand.
connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.dialect.name == "sqlite" else "BEGIN")
try:
    context.run_migrations()
except BaseException:
    connection.exec_driver_sql("ROLLBACK")
    raise
connection.exec_driver_sql("COMMIT")
