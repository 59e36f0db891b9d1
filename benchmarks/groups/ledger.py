"""The ledger: what it costs the trading thread, and how fast its own thread writes and makes rows again from a journal.

PostgreSQL is measured where `LANNER_BENCH_POSTGRES` names an empty database.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from statistics import median
from tempfile import mkdtemp

from benchmarks.measure import Row, alone
from lanner.model.commands import SubmitOrder
from lanner.model.enums import Liquidity, OrderStatus, OrderType, Side
from lanner.model.instruments import Instrument
from lanner.model.market import Quote
from lanner.model.orders import Order
from lanner.model.reports import OrderFilled
from lanner.storage.journal import JournalWriter, SessionHead, Sync
from lanner.storage.ledger.rebuild import rebuild
from lanner.storage.ledger.records import Entry, FillSnap, snap
from lanner.storage.ledger.store import Ledger
from lanner.storage.ledger.writer import LedgerState, LedgerWriter, Pace, SessionEnd

PERP = Instrument.perp("BTCUSDT-PERP.BINANCE", tick="0.1", lot="0.001")
START = 1_767_225_600_000_000_000
ORDERS = 10_000
QUOTES = 20
"""Quotes between two orders of the journal that is made into rows again."""
BEAT_S = 0.001
BESIDE_S = 5.0


def run(rounds: int) -> Iterator[Row]:
    """Yield cost of an entry, rows per second of each database, records per second of a rebuild, and lateness."""
    folder = Path(mkdtemp(prefix="lanner-bench-ledger-"))
    try:
        yield _cost_of_an_entry()
        databases = {"SQLite": f"sqlite:///{folder}/ledger.db"}
        if os.environ.get("LANNER_BENCH_POSTGRES"):
            databases["PostgreSQL"] = os.environ["LANNER_BENCH_POSTGRES"]
        for name, url in databases.items():
            rates = [_rows_per_second(url, folder / f"{name}{number}") for number in range(rounds)]
            yield alone(f"rows written, {name}", median(rates), "rows/s (wall)", rows=2 * ORDERS)
        rates = [_rebuild_rate(folder / f"again{number}") for number in range(rounds)]
        yield alone("rebuild from a journal, SQLite", median(rates), "records/s (wall)", orders=ORDERS)
        without, beside = _lateness(None, folder), _lateness(f"sqlite:///{folder}/late.db", folder)
        yield alone(
            "lateness of a loop of 1 kHz beside 200 rows/s, p99", beside, "µs (wall)", without_us=without
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _order(number: int) -> Order:
    order = Order(f"b-o{number}", "Bench", PERP, Side.BUY, OrderType.LIMIT, 10, START + number, px_ticks=1000)
    order.status = OrderStatus.FILLED
    return order


def _fill(number: int) -> OrderFilled:
    fee = Decimal("0.01234")
    return OrderFilled(
        f"b-o{number}", PERP.id, START, START, f"t{number}", Side.BUY, 1000, 10, fee, Liquidity.TAKER, 1000
    )


def _entries(count: int) -> list[Entry]:
    return [entry for n in range(count) for entry in (snap(_order(n)), FillSnap(_fill(n), "Bench", "target"))]


def _journal(folder: Path, quotes: int) -> int:
    """Write a session that only begins, or one of many orders with quotes between them; return its last record."""
    config = {"strategy": "bench.py", "instruments": [PERP.id], "cash": "1000"}
    spec = {"config": config, "currency": "USDT", "instruments": {PERP.id: PERP.to_json().decode()}}
    journal = JournalWriter(folder / "journal", sync=Sync.NONE)
    journal.append(SessionHead(folder.name, "paper", "bench", START, spec), START)
    for number in range(ORDERS if quotes else 0):
        for _ in range(quotes):
            journal.append(Quote(PERP.id, START, START, 99.9, 1.0, 100.1, 1.0), START + number)
        order = SubmitOrder(f"b-o{number}", PERP.id, START, Side.BUY, OrderType.LIMIT, 10, 1000)
        journal.append(order, START + number)
        journal.append(_fill(number), START + number)
    journal.close()
    return journal.seq


def _writer(url: str, folder: Path) -> LedgerWriter:
    _journal(folder, 0)
    writer = LedgerWriter(Ledger(url), folder, Pace(queue=10 * ORDERS, flush_s=0.05), _unheard)
    writer.start()
    return writer


def _unheard(_topic: str, _state: LedgerState) -> None:
    """Nobody listens."""


def _cost_of_an_entry() -> Row:
    orders = [_order(number) for number in range(ORDERS)]
    queue: list[Entry] = []
    started = time.thread_time_ns()
    for order in orders:
        queue.append(snap(order))  # noqa: PERF401 - as the session does it, one at a time
    return alone("picture of an order", (time.thread_time_ns() - started) / ORDERS, "ns (CPU)")


def _rows_per_second(url: str, folder: Path) -> float:
    writer = _writer(url, folder)
    entries = _entries(ORDERS)
    started = time.perf_counter()
    for entry in entries:
        writer.put(entry)
    state = writer.finish(SessionEnd("ended", "", START, 1), 300.0)
    seconds = time.perf_counter() - started
    if not state.complete:
        raise RuntimeError(state.error)
    return len(entries) / seconds


def _rebuild_rate(folder: Path) -> float:
    records = _journal(folder, QUOTES)
    ledger = Ledger(f"sqlite:///{folder}/ledger.db")
    ledger.open()
    started = time.perf_counter()
    told = rebuild(ledger, folder)
    seconds = time.perf_counter() - started
    ledger.close()
    if told.fills != ORDERS:
        raise RuntimeError(f"{told.fills} fills instead of {ORDERS}")
    return records / seconds


def _lateness(url: str | None, folder: Path) -> float:
    """Return how late the slowest of a hundred beats is, in microseconds."""
    writer = None if url is None else _writer(url, folder / "late")
    entries = iter(_entries(ORDERS))
    late = []
    due = time.perf_counter()
    for beat in range(int(BESIDE_S / BEAT_S)):
        due += BEAT_S
        time.sleep(max(0.0, due - time.perf_counter()))
        late.append(time.perf_counter() - due)
        due = max(due, time.perf_counter() - BEAT_S)
        if writer is not None and beat % 5 == 0:
            writer.put(next(entries))
    if writer is not None:
        writer.finish(SessionEnd("ended", "", START, 1), 60.0)
    return sorted(late)[len(late) * 99 // 100] * 1e6
