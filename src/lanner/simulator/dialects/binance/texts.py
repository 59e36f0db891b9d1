"""Numbers as Binance writes them."""

from __future__ import annotations

from lanner.model.enums import OrderType, Side
from lanner.simulator.markets import Market
from lanner.simulator.money import atoms_text
from lanner.simulator.orders import SimOrder, StpMode

ZERO = "0.00000000"
SIDES = {Side.BUY: "BUY", Side.SELL: "SELL"}
SIDE_OF = {"BUY": Side.BUY, "SELL": Side.SELL}
STP_TEXT = {
    StpMode.NONE: "NONE",
    StpMode.EXPIRE_TAKER: "EXPIRE_TAKER",
    StpMode.EXPIRE_MAKER: "EXPIRE_MAKER",
    StpMode.EXPIRE_BOTH: "EXPIRE_BOTH",
    StpMode.DECREMENT: "DECREMENT",
}
STP_OF = {text: mode for mode, text in STP_TEXT.items()}
KEPT = 100_000


class SpotTexts:
    """Prices and quantities of spot markets: always eight decimals."""

    def __init__(self) -> None:
        self._px: dict[tuple[str, int], str] = {}
        self._qty: dict[tuple[str, int], str] = {}

    def px(self, market: Market, ticks: int) -> str:
        """Write a price."""
        found = self._px.get((market.symbol, ticks))
        if found is None:
            if len(self._px) > KEPT:
                self._px.clear()
            found = self._px[market.symbol, ticks] = atoms_text(ticks * market.tick_atoms)
        return found

    def qty(self, market: Market, lots: int) -> str:
        """Write a quantity."""
        found = self._qty.get((market.symbol, lots))
        if found is None:
            if len(self._qty) > KEPT:
                self._qty.clear()
            found = self._qty[market.symbol, lots] = atoms_text(lots * market.lot_atoms)
        return found

    def forget(self) -> None:
        """Forget what was written, after a market's grid has changed."""
        self._px.clear()
        self._qty.clear()


def percent(change: int, base: int) -> str:
    """Write a change in per cent with three decimals."""
    return f"{100 * change / base:.3f}" if base else "0.000"


def is_market(order: SimOrder) -> bool:
    """Tell whether the order trades at any price (once triggered)."""
    return not order.is_limit and order.type != OrderType.LIMIT
