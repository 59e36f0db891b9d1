"""The ledger's tables. Times are UNIX nanoseconds, enumerations their names, prices and quantities exact.

What is measured rather than traded (equity) is a float, as it is everywhere else.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, MetaData, Table, Text

from lanner.storage.ledger.kinds import Exact

METADATA = MetaData(
    naming_convention={"ix": "ix_%(table_name)s_%(column_0_name)s", "pk": "pk_%(table_name)s"}
)

SESSIONS = Table(
    "sessions",
    METADATA,
    Column("session", Text, primary_key=True),
    Column("mode", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("strategies", Text, nullable=False),
    Column("instruments", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("capital", Exact, nullable=False),
    Column("version", Text, nullable=False),
    Column("source_hash", Text, nullable=False),
    Column("config", Text, nullable=False),
    Column("started_ns", BigInteger, nullable=False),
    Column("updated_ns", BigInteger, nullable=False),
    Column("ended_ns", BigInteger),
    Column("reason", Text, nullable=False),
    Column("equity", Float(53)),
    Column("journal_seq", BigInteger, nullable=False),
    Column("complete", Boolean, nullable=False),
    Index(None, "started_ns"),
)
"""``journal_seq``: the journal's last record that the rows are known to cover; ``complete``: nothing is missing."""

ORDERS = Table(
    "orders",
    METADATA,
    Column("session", Text, primary_key=True),
    Column("order_id", Text, primary_key=True),
    Column("strategy", Text, nullable=False),
    Column("instrument", Text, nullable=False),
    Column("side", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("tif", Text, nullable=False),
    Column("qty", Exact, nullable=False),
    Column("px", Exact),
    Column("stop_px", Exact),
    Column("cum_qty", Exact, nullable=False),
    Column("avg_px", Exact),
    Column("fees", Exact, nullable=False),
    Column("status", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("reject_code", Text, nullable=False),
    Column("venue_order_id", Text, nullable=False),
    Column("parent_id", Text, nullable=False),
    Column("intent", Text, nullable=False),
    Column("tag", Text, nullable=False),
    Column("post_only", Boolean, nullable=False),
    Column("reduce_only", Boolean, nullable=False),
    Column("ts_init", BigInteger, nullable=False),
    Column("ts_last", BigInteger, nullable=False),
    Index(None, "ts_init"),
)
FILLS = Table(
    "fills",
    METADATA,
    Column("session", Text, primary_key=True),
    Column("instrument", Text, primary_key=True),
    Column("trade_id", Text, primary_key=True),
    Column("order_id", Text, primary_key=True),
    Column("strategy", Text, nullable=False),
    Column("side", Text, nullable=False),
    Column("px", Exact, nullable=False),
    Column("qty", Exact, nullable=False),
    Column("fee", Exact, nullable=False),
    Column("liquidity", Text, nullable=False),
    Column("ref_px", Exact, nullable=False),
    Column("tag", Text, nullable=False),
    Column("ts_event", BigInteger, nullable=False),
    Column("ts_recv", BigInteger, nullable=False),
    Index(None, "ts_event"),
)
"""A venue numbers its trades by instrument, and a trade between two of our own orders has one number for both."""

EQUITY = Table(
    "equity",
    METADATA,
    Column("session", Text, primary_key=True),
    Column("strategy", Text, primary_key=True),
    Column("ts", BigInteger, primary_key=True),
    Column("equity", Float(53), nullable=False),
)
"""The whole account has the strategy ''."""

ADJUSTMENTS = Table(
    "adjustments",
    METADATA,
    Column("session", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("instrument", Text, primary_key=True),
    Column("strategy", Text, primary_key=True),
    Column("ts_event", BigInteger, primary_key=True),
    Column("ts_recv", BigInteger, primary_key=True),
    Column("amount", Exact),
    Column("qty", Exact),
    Column("px", Exact),
    Column("rate", Float(53)),
    Column("reason", Text, nullable=False),
)
"""What changed an account without an order of ours: funding, and positions brought to what the venue has."""

EVENTS = Table(
    "events",
    METADATA,
    Column("session", Text, primary_key=True),
    Column("event", Text, primary_key=True),
    Column("ts", BigInteger, nullable=False),
    Column("level", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("text", Text, nullable=False),
    Index(None, "ts"),
)
"""Alarms, faults, connections, trading states and what people did."""

OF_A_SESSION = (ORDERS, FILLS, EQUITY, ADJUSTMENTS, EVENTS)
