"""Journals written by hand: orders that fill, one that is denied, funding, and quotes between them."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from lanner.model.commands import AmendOrder, CancelOrder, SubmitOrder
from lanner.model.enums import Liquidity, OrderStatus, OrderType, Side
from lanner.model.instruments import Instrument
from lanner.model.market import Quote
from lanner.model.orders import Order
from lanner.model.reports import FundingPaid, OrderAccepted, OrderAmended, OrderFilled, PositionAdjusted
from lanner.storage.journal import Control, JournalWriter, Note, SessionHead, Sync
from lanner.storage.ledger.fold import WHO, denied_note

PERP = Instrument.perp("BTCUSDT-PERP.BINANCE", tick="0.1", lot="0.001")
START = 1_767_225_600_000_000_000
SECOND = 1_000_000_000


def head(session: str, **config: Any) -> SessionHead:
    """Return the first record of a session."""
    plain = {"strategy": "flip.py", "instruments": [PERP.id], "cash": "1000", **config}
    spec = {"config": plain, "currency": "USDT", "instruments": {PERP.id: PERP.to_json().decode()}}
    return SessionHead(session, "live", "0.1.0", START, spec)


class Book:
    """Write a journal record by record, half a second apart."""

    def __init__(self, folder: Path, session: str = "s1", *, notes: bool = True, **config: Any) -> None:
        self.folder = folder
        self.ts = START
        self.orders = 0
        self.journal = JournalWriter(folder / "journal", sync=Sync.NONE)
        self.journal.append(head(session, **config), START)
        self._notes = notes
        self.put(Control("start"))
        self.quote(100.0)

    def put(self, message: Any, *, step: int = SECOND // 2) -> None:
        """Append a message."""
        self.ts += step
        self.journal.append(message, self.ts)

    def quote(self, mid: float) -> None:
        """Let the market be somewhere."""
        self.put(Quote(PERP.id, self.ts, self.ts, mid - 0.1, 1.0, mid + 0.1, 1.0))

    def order(self, side: Side = Side.BUY, lots: int = 10, px_ticks: int = 1000) -> str:
        """Send an order; whose it is, is noted."""
        self.orders += 1
        order_id = f"s1-o{self.orders}"
        self.put(SubmitOrder(order_id, PERP.id, self.ts, side, OrderType.LIMIT, lots, px_ticks))
        if self._notes:
            told = [(order_id, "Flip", "target", "tag", "", self.ts - 1)]
            self.put(Note(WHO, {"capital": {"Flip": "1000"}, "orders": told}), step=0)
        self.put(OrderAccepted(order_id, PERP.id, self.ts, self.ts, f"v{self.orders}"))
        return order_id

    def fill(self, order_id: str, side: Side = Side.BUY, lots: int = 10, px_ticks: int = 1000) -> None:
        """Report a fill; its trade has the number of the journal's record."""
        trade = f"t{self.journal.seq}"
        self.put(
            OrderFilled(
                order_id,
                PERP.id,
                self.ts,
                self.ts,
                trade,
                side,
                px_ticks,
                lots,
                Decimal("0.0123456789"),
                Liquidity.TAKER,
                px_ticks,
            )
        )

    def deny(self) -> None:
        """Note an order that a limit refused."""
        self.orders += 1
        order = Order(f"s1-o{self.orders}", "Flip", PERP, Side.SELL, OrderType.MARKET, 5, self.ts)
        order.status, order.reason, order.reject_code = OrderStatus.DENIED, "too large", "max_order"
        self.put(Note(WHO, {"denied": [denied_note(order)]}))

    def end(self) -> None:
        """End the session as it should."""
        self.put(Control("stop", "the session ends"))
        self.journal.close()


def whole_session(folder: Path, pairs: int = 3, **more: Any) -> Book:
    """Write a session that buys and sells by turns, pays funding, is corrected, and ends."""
    book = Book(folder, **more)
    for number in range(pairs):
        buy = book.order()
        book.fill(buy, lots=4)
        book.fill(buy, lots=6)
        book.quote(100.0 + number)
        sell = book.order(Side.SELL)
        book.put(AmendOrder(sell, PERP.id, book.ts, None, 1010, None, 1))
        book.put(OrderAmended(sell, PERP.id, book.ts, book.ts, 10, 1010, None, 1))
        book.fill(sell, Side.SELL, px_ticks=1010)
    resting = book.order()
    book.put(CancelOrder(resting, PERP.id, book.ts, 1))
    book.deny()
    book.put(FundingPaid(PERP.id, book.ts, book.ts, Decimal("-0.00012"), 0.0001))
    book.put(PositionAdjusted("Flip", PERP.id, book.ts, book.ts, -2, 1000, "the venue has less"))
    book.end()
    return book
