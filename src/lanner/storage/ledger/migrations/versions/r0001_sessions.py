"""Sessions with their orders, fills and equity."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from lanner.storage.ledger.kinds import Exact

revision = "0001"
down_revision: str | None = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the first four tables."""
    _sessions()
    _orders()
    _fills()
    op.create_table(
        "equity",
        sa.Column("session", sa.Text(), nullable=False),
        sa.Column("strategy", sa.Text(), nullable=False),
        sa.Column("ts", sa.BigInteger(), nullable=False),
        sa.Column("equity", sa.Float(53), nullable=False),
        sa.PrimaryKeyConstraint("session", "strategy", "ts", name="pk_equity"),
    )


def _sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("session", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("strategies", sa.Text(), nullable=False),
        sa.Column("instruments", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("capital", Exact(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("source_hash", sa.Text(), nullable=False),
        sa.Column("config", sa.Text(), nullable=False),
        sa.Column("started_ns", sa.BigInteger(), nullable=False),
        sa.Column("updated_ns", sa.BigInteger(), nullable=False),
        sa.Column("ended_ns", sa.BigInteger()),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("equity", sa.Float(53)),
        sa.Column("journal_seq", sa.BigInteger(), nullable=False),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("session", name="pk_sessions"),
    )
    op.create_index("ix_sessions_started_ns", "sessions", ["started_ns"])


def _orders() -> None:
    op.create_table(
        "orders",
        sa.Column("session", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("strategy", sa.Text(), nullable=False),
        sa.Column("instrument", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("tif", sa.Text(), nullable=False),
        sa.Column("qty", Exact(), nullable=False),
        sa.Column("px", Exact()),
        sa.Column("stop_px", Exact()),
        sa.Column("cum_qty", Exact(), nullable=False),
        sa.Column("avg_px", Exact()),
        sa.Column("fees", Exact(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("reject_code", sa.Text(), nullable=False),
        sa.Column("venue_order_id", sa.Text(), nullable=False),
        sa.Column("parent_id", sa.Text(), nullable=False),
        sa.Column("intent", sa.Text(), nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.Column("post_only", sa.Boolean(), nullable=False),
        sa.Column("reduce_only", sa.Boolean(), nullable=False),
        sa.Column("ts_init", sa.BigInteger(), nullable=False),
        sa.Column("ts_last", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("session", "order_id", name="pk_orders"),
    )
    op.create_index("ix_orders_ts_init", "orders", ["ts_init"])


def _fills() -> None:
    op.create_table(
        "fills",
        sa.Column("session", sa.Text(), nullable=False),
        sa.Column("instrument", sa.Text(), nullable=False),
        sa.Column("trade_id", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("strategy", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("px", Exact(), nullable=False),
        sa.Column("qty", Exact(), nullable=False),
        sa.Column("fee", Exact(), nullable=False),
        sa.Column("liquidity", sa.Text(), nullable=False),
        sa.Column("ref_px", Exact(), nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.Column("ts_event", sa.BigInteger(), nullable=False),
        sa.Column("ts_recv", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("session", "instrument", "trade_id", "order_id", name="pk_fills"),
    )
    op.create_index("ix_fills_ts_event", "fills", ["ts_event"])
