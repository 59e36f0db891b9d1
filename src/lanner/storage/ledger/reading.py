"""What a ledger tells: rows as plain data, Decimals as Decimals, newest sessions first."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, case, func, select

from lanner.core.errors import NotFoundError
from lanner.storage.ledger.byhand import SESSION as MANUAL
from lanner.storage.ledger.records import Row
from lanner.storage.ledger.schema import HEAD
from lanner.storage.ledger.store import FAULTS, Ledger
from lanner.storage.ledger.tables import ADJUSTMENTS, EQUITY, EVENTS, FILLS, METADATA, ORDERS, SESSIONS

if TYPE_CHECKING:
    from sqlalchemy import Table

_ORDER = {
    ORDERS: (ORDERS.c.ts_init, ORDERS.c.order_id),
    FILLS: (FILLS.c.ts_event, FILLS.c.trade_id),
    EQUITY: (EQUITY.c.ts, EQUITY.c.strategy),
    ADJUSTMENTS: (ADJUSTMENTS.c.ts_event, ADJUSTMENTS.c.kind),
    EVENTS: (EVENTS.c.ts, EVENTS.c.event),
}


class LedgerView:
    """Ask a ledger. Faults of the database come as ``LannerError``."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def sessions(self, limit: int = 0) -> list[Row]:
        """Return the sessions with what they made, the newest first; 0 for all."""
        asked = select(SESSIONS).order_by(SESSIONS.c.started_ns.desc(), SESSIONS.c.session.desc())
        found = self._ask(asked.limit(limit) if limit else asked)
        counts = {table: self._counts(table, [row["session"] for row in found]) for table in (ORDERS, FILLS)}
        return [
            {
                **_opened(row),
                "orders": counts[ORDERS].get(row["session"], 0),
                "fills": counts[FILLS].get(row["session"], 0),
            }
            for row in found
        ]

    def session(self, name: str) -> Row:
        """Return one session by its id, or the last one by ``last``; raise ``NotFoundError``."""
        asked = select(SESSIONS)
        if name == "last":
            is_manual = case((SESSIONS.c.mode == MANUAL, 1), else_=0)  # orders by hand are no session
            asked = asked.order_by(is_manual, SESSIONS.c.started_ns.desc(), SESSIONS.c.session.desc()).limit(
                1
            )
        else:
            asked = asked.where(SESSIONS.c.session == name)
        found = self._ask(asked)
        if not found:
            raise NotFoundError(
                f"the ledger knows no session {name!r}" if name != "last" else "the ledger is empty",
                fix="`lanner sessions` lists them; `lanner ledger rebuild` makes the rows from the journals.",
            )
        row = _opened(found[0])
        session = row["session"]
        for table in (ORDERS, FILLS, ADJUSTMENTS, EVENTS):
            row[table.name] = self._counts(table, [session]).get(session, 0)
        row["fees"] = sum(fill["fee"] for fill in self._ask(_of(FILLS, session, [FILLS.c.fee])))
        funding = self._ask(_of(ADJUSTMENTS, session, [ADJUSTMENTS.c.amount]))
        row["funding"] = sum(entry["amount"] for entry in funding if entry["amount"] is not None)
        return row

    def orders(self, session: str, *, strategy: str = "", status: str = "", limit: int = 0) -> list[Row]:
        """Return the orders of a session in the order in which they were made; with a limit the last ones."""
        wanted = [] if not status else [ORDERS.c.status == status.upper()]
        return self._list(ORDERS, session, strategy, limit, wanted)

    def fills(self, session: str, *, strategy: str = "", limit: int = 0) -> list[Row]:
        """Return the fills of a session, oldest first; with a limit the last ones."""
        return self._list(FILLS, session, strategy, limit)

    def equity(self, session: str, *, strategy: str = "", limit: int = 0) -> list[Row]:
        """Return what the account, or one strategy, was worth; with a limit at the last points."""
        return self._list(EQUITY, session, "", limit, [EQUITY.c.strategy == strategy])

    def adjustments(self, session: str, *, limit: int = 0) -> list[Row]:
        """Return funding and adjusted positions."""
        return self._list(ADJUSTMENTS, session, "", limit)

    def events(self, session: str, *, limit: int = 0) -> list[Row]:
        """Return alarms, faults, connections and what people did."""
        return self._list(EVENTS, session, "", limit)

    def summary(self) -> dict[str, Any]:
        """Return where the ledger is, its schema and how many rows each table has."""
        tables = {
            name: int(self._ask(select(func.count().label("rows")).select_from(table))[0]["rows"])
            for name, table in METADATA.tables.items()
        }
        file = self._ledger.file
        return {
            "ledger": self._ledger.name,
            "schema": HEAD,
            "bytes": file.stat().st_size if file is not None and file.exists() else None,
            "rows": tables,
        }

    # -- asking --------------------------------------------------------------------------------------------

    def _list(
        self, table: Table, session: str, strategy: str, limit: int, wanted: Sequence[Any] = ()
    ) -> list[Row]:
        asked = _of(table, session, [column for column in table.columns if column.name != "session"])
        asked = asked.where(*wanted)
        if strategy:
            asked = asked.where(table.c.strategy == strategy)
        keys = _ORDER[table]
        if limit:
            return self._ask(asked.order_by(*(key.desc() for key in keys)).limit(limit))[::-1]
        return self._ask(asked.order_by(*keys))

    def _counts(self, table: Table, sessions: Sequence[str]) -> dict[str, int]:
        asked = select(table.c.session, func.count().label("rows")).group_by(table.c.session)
        if len(sessions) == 1:
            asked = asked.where(table.c.session == sessions[0])
        return {row["session"]: int(row["rows"]) for row in self._ask(asked)}

    def _ask(self, asked: Select[Any]) -> list[Row]:
        try:
            with self._ledger.transaction() as connection:
                return [dict(row) for row in connection.execute(asked).mappings()]
        except FAULTS as error:
            raise self._ledger.unreachable(error) from error


def _of(table: Table, session: str, columns: Sequence[Any]) -> Select[Any]:
    return select(*columns).where(table.c.session == session)


def _opened(row: Row) -> Row:
    """Return a session's row with its lists as lists and with its profit."""
    equity = row["equity"]
    return {
        **row,
        "strategies": json.loads(row["strategies"]),
        "instruments": json.loads(row["instruments"]),
        "config": json.loads(row["config"]),
        "pnl": None if equity is None else equity - float(row["capital"]),
        "duration_s": ((row["ended_ns"] or row["updated_ns"]) - row["started_ns"]) / 1e9,
    }
