"""Orders that no session's engine sent, in the ledger: by hand, and by a kill switch that works from outside.

Such orders are written into an order log before they leave (``live.orderlog``); the ledger's rows are made from its
lines and from nothing else, so that they can be made again at any time. Orders by hand have a session of their own,
``manual``; those of a kill switch belong to the session that it ended.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from lanner.storage.files import write_atomic
from lanner.storage.ledger.records import Row
from lanner.storage.ledger.store import Ledger

SESSION = "manual"
"""The session and its mode in the ledger under which orders by hand are kept."""
KILL_LOG = "kill-orders.jsonl"
"""The order log in the folder of a session that was ended from outside."""
Line = Mapping[str, Any]
_TEXTS = ("side", "type", "status", "reason", "venue_order_id")


def rows_of_lines(lines: Iterable[Line], session: str) -> dict[str, list[Row]]:
    """Return the rows of an order log's lines by table; of an order the last line counts."""
    orders: dict[str, Row] = {}
    fills: dict[tuple[str, str, str], Row] = {}
    events: dict[str, Row] = {}
    for line in lines:
        if "order_id" not in line:
            event = _event(line)
            events[event["event"]] = {"session": session, **event}
            continue
        orders[line["order_id"]] = {"session": session, **_order(line)}
        for told in line.get("fills", ()):
            fill = _fill(line, told)
            fills[fill["instrument"], fill["trade_id"], fill["order_id"]] = {"session": session, **fill}
    return {"orders": [*orders.values()], "fills": [*fills.values()], "events": [*events.values()]}


def _order(line: Line) -> Row:
    return {
        "order_id": line["order_id"],
        "strategy": line.get("strategy", ""),
        "instrument": line["instrument_id"],
        **{name: line[name] for name in _TEXTS},
        "tif": line.get("tif", "GTC"),
        "qty": Decimal(line["qty"]),
        "px": _exact(line["px"]),
        "stop_px": _exact(line["stop_px"]),
        "cum_qty": Decimal(line["cum_qty"]),
        "avg_px": _exact(line.get("avg_px")),
        "fees": Decimal(line.get("fees", "0")),
        "reject_code": line.get("reject_code", ""),
        "parent_id": "",
        "intent": line.get("intent", SESSION),
        "tag": line.get("tag", ""),
        "post_only": bool(line.get("post_only")),
        "reduce_only": bool(line.get("reduce_only")),
        "ts_init": line.get("ts_init", line["ts"]),
        "ts_last": line.get("ts_last", line["ts"]),
    }


def _fill(line: Line, told: Line) -> Row:
    return {
        "instrument": line["instrument_id"],
        "trade_id": told["trade_id"],
        "order_id": line["order_id"],
        "strategy": line.get("strategy", ""),
        "side": told["side"],
        "px": Decimal(told["px"]),
        "qty": Decimal(told["qty"]),
        "fee": Decimal(told["fee"]),
        "liquidity": told["liquidity"],
        "ref_px": Decimal(told["px"]),
        "tag": line.get("tag", ""),
        "ts_event": told["ts_event"],
        "ts_recv": told["ts_recv"],
    }


def _event(line: Line) -> Row:
    return {
        "event": f"hand-{line['ts']}",
        "ts": line["ts"],
        "level": line.get("level", "info"),
        "topic": line["what"],
        "text": line.get("text", ""),
    }


def _exact(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


# -- the log's way into the ledger -------------------------------------------------------------------------


def read_lines(log: Path, start: int = 0) -> tuple[list[Line], int]:
    """Return the whole lines of a log from an offset on, and where they end; what a crash cut off is left out."""
    try:
        with log.open("rb") as file:
            file.seek(start)
            data = file.read()
    except FileNotFoundError:
        return [], 0
    end = data.rfind(b"\n") + 1
    lines = []
    for text in data[:end].splitlines():
        try:
            line = json.loads(text)
            rows_of_lines([line], "")
        except (ValueError, KeyError, TypeError, ArithmeticError):
            continue
        lines.append(line)
    return lines, start + end


def keep_log(ledger: Ledger, log: Path, session: str, *, whole: bool = False) -> int:
    """Write what a log has and the ledger has not, or all of it; return how many rows."""
    start = 0 if whole else _kept(log, ledger.name)
    lines, end = read_lines(log, start)
    if not lines:
        return 0
    rows = rows_of_lines(lines, session)
    if session == SESSION:
        rows["sessions"] = [_manual_row(read_lines(log)[0])]
    count = ledger.write(rows)
    note_kept(log, ledger.name, end)
    return count


def is_kept(ledger: Ledger, log: Path) -> bool:
    """Tell whether a ledger has all of a log that can be read."""
    return not read_lines(log, _kept(log, ledger.name))[0]


def note_kept(log: Path, ledger: str, end: int) -> None:
    """Note beside a log how far a ledger has it."""
    write_atomic(log.with_suffix(".kept"), json.dumps({"ledger": ledger, "end": end}).encode())


def _kept(log: Path, ledger: str) -> int:
    try:
        told = json.loads(log.with_suffix(".kept").read_bytes())
        end = int(told["end"]) if told["ledger"] == ledger else 0
        return end if end <= log.stat().st_size else 0
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def _manual_row(lines: list[Line]) -> Row:
    instruments = sorted({line["instrument_id"] for line in lines if "instrument_id" in line})
    strategies = sorted({line["strategy"] for line in lines if line.get("strategy")})
    return {
        "session": SESSION,
        "mode": SESSION,
        "state": "open",
        "name": "orders by hand",
        "strategies": json.dumps(strategies),
        "instruments": json.dumps(instruments),
        "currency": "",
        "capital": Decimal(0),
        "version": "",
        "source_hash": "",
        "config": "{}",
        "started_ns": lines[0]["ts"],
        "updated_ns": lines[-1]["ts"],
        "ended_ns": None,
        "reason": "",
        "equity": None,
        "journal_seq": 0,
        "complete": True,
    }


class LogKeeper:
    """Keep a log's orders in a ledger, in a thread of its own: who trades never waits for it.

    ``trouble`` says why the last attempt failed, or nothing; what is missing comes with the next one.
    """

    def __init__(self, log: Path, session: str, open_ledger: Callable[[], Ledger]) -> None:
        self.trouble = ""
        self._log = log
        self._session = session
        self._open = open_ledger
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._again = False

    def wake(self) -> None:
        """Have written what is new. The process ends only when the database has answered, or its time is over."""
        with self._lock:
            self._again = True
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="order-ledger")
                self._thread.start()

    def finish(self, timeout_s: float) -> str:
        """Wait until all is written, or for so long; return what is wrong, or nothing."""
        thread = self._thread
        if thread is not None:
            thread.join(timeout_s)
            if thread.is_alive():
                return f"no answer within {timeout_s:g} s"
        return self.trouble

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._again:
                    self._thread = None
                    return
                self._again = False
            self.trouble = self._keep()

    def _keep(self) -> str:
        ledger: Ledger | None = None
        try:
            ledger = self._open()
            try:
                keep_log(ledger, self._log, self._session)
            finally:
                ledger.close()
        except Exception as error:  # noqa: BLE001 - the thread's outermost wall: whatever it is, trading goes on
            return str(error) if ledger is None else ledger.words(error)
        return ""
