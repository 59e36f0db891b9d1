"""Run by alembic for each upgrade: it works on the connection that ``schema.upgrade`` hands over."""

from __future__ import annotations

from alembic import context

from lanner.storage.ledger.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    transactional_ddl=True,
)
context.run_migrations()
