"""The words everybody speaks: instruments, market data, orders, reports, events."""

from lanner.model.enums import GroupKind, InstrumentKind, Liquidity, OrderStatus, OrderType, Side, TimeInForce
from lanner.model.instruments import FeeSchedule, Instrument, PriceRule, Rounding
from lanner.model.market import Bar, BookUpdate, FundingRate, MarkPrice, Quote, Trade

__all__ = [
    "Bar",
    "BookUpdate",
    "FeeSchedule",
    "FundingRate",
    "GroupKind",
    "Instrument",
    "InstrumentKind",
    "Liquidity",
    "MarkPrice",
    "OrderStatus",
    "OrderType",
    "PriceRule",
    "Quote",
    "Rounding",
    "Side",
    "TimeInForce",
    "Trade",
]
