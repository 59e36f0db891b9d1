"""Events of a session, and what changed an account without an order."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from lanner.storage.ledger.kinds import Exact

revision = "0002"
down_revision: str | None = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make two more tables."""
    op.create_table(
        "adjustments",
        sa.Column("session", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("instrument", sa.Text(), nullable=False),
        sa.Column("strategy", sa.Text(), nullable=False),
        sa.Column("ts_event", sa.BigInteger(), nullable=False),
        sa.Column("ts_recv", sa.BigInteger(), nullable=False),
        sa.Column("amount", Exact()),
        sa.Column("qty", Exact()),
        sa.Column("px", Exact()),
        sa.Column("rate", sa.Float(53)),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint(
            "session", "kind", "instrument", "strategy", "ts_event", "ts_recv", name="pk_adjustments"
        ),
    )
    op.create_table(
        "events",
        sa.Column("session", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("ts", sa.BigInteger(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("session", "event", name="pk_events"),
    )
    op.create_index("ix_events_ts", "events", ["ts"])
