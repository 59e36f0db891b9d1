"""What a running strategy asks of the engine."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from lanner.core.rng import Rng
from lanner.model.enums import OrderType, Side, TimeInForce
from lanner.model.instruments import Instrument, Number
from lanner.model.orders import OrderView
from lanner.portfolio.positions import PositionView
from lanner.strategy.protection import StopLossManager
from lanner.strategy.series import BarSeries, QuoteSeries, TradeSeries

Distance = str | Number


class Context(Protocol):
    """The engine's side of one strategy."""

    @property
    def now(self) -> int: ...
    @property
    def rng(self) -> Rng: ...
    @property
    def instruments(self) -> Sequence[Instrument]: ...

    @property
    def stops(self) -> StopLossManager: ...

    def position(self, instrument: str | None) -> PositionView: ...
    def equity(self) -> float: ...
    def price(self, instrument: str | None) -> float: ...
    def open_orders(self, instrument: str | None) -> list[OrderView]: ...
    def bars(self, timeframe: str, instrument: str | None) -> BarSeries: ...
    def quotes(self, instrument: str | None) -> QuoteSeries: ...
    def trades(self, instrument: str | None) -> TradeSeries: ...
    def log(self, message: str) -> None: ...
    def alert(self, message: str, level: str) -> None: ...

    def order(
        self,
        side: Side,
        qty: Number,
        px: Number | None,
        *,
        type: OrderType | None,
        stop_px: Number | None,
        trail: Distance | None,
        tif: TimeInForce,
        expire: int | None,
        post_only: bool,
        reduce_only: bool,
        display_qty: Number | None,
        stop: Distance | None,
        take: Distance | None,
        after: OrderView | str | None,
        scaled: bool,
        instrument: str | None,
        tag: str,
    ) -> OrderView: ...

    def target(
        self,
        weight: float,
        *,
        px: Number | None,
        stop: Distance | None,
        take: Distance | None,
        trail: Distance | None,
        instrument: str | None,
        tag: str,
    ) -> OrderView | None: ...

    def target_qty(
        self,
        qty: Number,
        *,
        px: Number | None = None,
        stop: Distance | None = None,
        take: Distance | None = None,
        trail: Distance | None = None,
        instrument: str | None = None,
        tag: str = "",
    ) -> OrderView | None: ...

    def oco(self, orders: Sequence[OrderView]) -> None: ...
    def batch(self) -> AbstractContextManager[None]: ...
    def cancel(self, order: OrderView | str) -> None: ...
    def cancel_all(self, instrument: str | None) -> int: ...
    def amend(
        self, order: OrderView | str, *, qty: Number | None, px: Number | None, stop_px: Number | None
    ) -> bool: ...
    def set_timer(self, name: str, *, every: str | None, at: int | None) -> None: ...
    def cancel_timer(self, name: str) -> bool: ...
