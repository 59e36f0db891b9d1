"""What may pass at all: trading states and the quarantine of instruments whose orders are in doubt.

What only reduces a position passes in REDUCING and in quarantine; in HALTED nothing does, exits of the kill switch
aside, which do not ask.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from lanner.model.enums import OrderStatus
from lanner.model.orders import Order
from lanner.portfolio.positions import Position
from lanner.risk.checks import Denial, only_reduces


class TradingState(IntEnum):
    """What strategies may do: anything, only reduce, nothing."""

    ACTIVE = 1
    REDUCING = 2
    HALTED = 3


class Gate:
    """Hold the trading state, and the orders of which nobody knows whether the venue has them.

    Several may ask for less trading at a time: a person (``session``), what watches the venue (``venue``), the risk
    rules (``risk``). The strictest of them counts; each takes back only what it asked for itself.
    """

    __slots__ = ("_asked", "_unknown", "kind", "reason", "state")

    def __init__(self) -> None:
        self.state = TradingState.ACTIVE
        self.reason = ""
        self.kind = ""
        self._asked: dict[str, tuple[TradingState, str, str]] = {}
        self._unknown: dict[str, set[str]] = {}

    @property
    def is_open(self) -> bool:
        """Tell whether everything may pass."""
        return self.state is TradingState.ACTIVE and not self._unknown

    @property
    def quarantined(self) -> tuple[str, ...]:
        """Return the instruments with an order in doubt."""
        return tuple(self._unknown)

    def set(self, state: TradingState, reason: str, *, by: str = "session", kind: str = "") -> None:
        """Ask for a trading state; ``kind`` says for programs why. A wish of before by the same is forgotten."""
        self._asked[by] = (state, reason, kind)
        self.state, self.reason, self.kind = max(self._asked.values(), key=lambda asked: asked[0])
        if self.state is TradingState.ACTIVE:
            self.reason, self.kind = reason, kind

    def asked_by(self, by: str) -> TradingState:
        """Return what one of them asks for."""
        return self._asked[by][0] if by in self._asked else TradingState.ACTIVE

    def note(self, order: Order) -> None:
        """Look at an order after a report: UNKNOWN puts its instrument into quarantine, anything else takes it out."""
        held = self._unknown.get(order.instrument_id)
        if order.status is OrderStatus.UNKNOWN:
            self._unknown.setdefault(order.instrument_id, set()).add(order.order_id)
        elif held is not None:
            held.discard(order.order_id)
            if not held:
                del self._unknown[order.instrument_id]

    def check(self, order: Order, position: Position, working: Iterable[Order]) -> Denial | None:
        """Return why an order must not leave, or None."""
        if self.is_open:
            return None
        if self.state is TradingState.HALTED:
            return Denial(
                "trading_state", "nothing", "HALTED", f"trading is halted: {self.reason}", self.kind
            )
        if only_reduces(order, position, working):
            return None
        if self.state is TradingState.REDUCING:
            return Denial(
                "trading_state",
                "what reduces a position",
                "REDUCING",
                f"only reducing is allowed: {self.reason}",
                self.kind,
            )
        doubtful = self._unknown.get(order.instrument_id)
        if doubtful is None:
            return None
        names = ", ".join(sorted(doubtful))
        return Denial(
            "quarantine",
            "what reduces a position",
            names,
            f"{order.instrument_id} is in quarantine: nobody knows what became of {names}",
        )
