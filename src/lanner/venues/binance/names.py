"""Symbols both ways, the venue's times and numbers, and the ids that the venue gets."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from hashlib import blake2b

from lanner.core.errors import NotFoundError
from lanner.model.instruments import Instrument

_CLIENT_ID = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}").fullmatch
_LAST_MS = 9_000_000_000_000
_LAST_US = 9_000_000_000_000_000
_MOST = Decimal(10) ** 18
_MOST_STEPS = 2**62


class Symbols:
    """The instruments that a codec knows, by their id and by the venue's symbol."""

    __slots__ = ("by_id", "by_symbol")

    def __init__(self) -> None:
        self.by_id: dict[str, Instrument] = {}
        self.by_symbol: dict[str, Instrument] = {}

    def use(self, instruments: Iterable[Instrument]) -> None:
        """Learn instruments; those known already are replaced."""
        for instrument in instruments:
            self.by_id[instrument.id] = instrument
            self.by_symbol[instrument.symbol or symbol_of(instrument.id)] = instrument

    def instrument(self, instrument_id: str) -> Instrument:
        """Return a known instrument, or raise ``NotFoundError``."""
        found = self.by_id.get(instrument_id)
        if found is None:
            raise NotFoundError(
                f"the instrument {instrument_id} is not known",
                expected=", ".join(list(self.by_id)[:5]) or "instruments that the codec was given",
                fix="Load the venue's instruments first.",
            )
        return found

    def symbol(self, instrument_id: str) -> str:
        """Return the venue's own text for a known instrument."""
        return self.instrument(instrument_id).symbol or symbol_of(instrument_id)


def symbol_of(instrument_id: str) -> str:
    """Return the venue's symbol that an id of ours stands for: ``BTC-USDT.BINANCE`` → ``BTCUSDT``."""
    return instrument_id.rpartition(".")[0].removesuffix("-PERP").replace("-", "").upper()


def client_id(order_id: str) -> str:
    """Return the id that the venue gets: ours where it has the venue's form, else a hash (36 characters at most).

    The same order id always gives the same text, so that an order sent twice is refused as a duplicate.
    """
    if _CLIENT_ID(order_id):
        return order_id
    return "L-" + blake2b(order_id.encode(), digest_size=16).hexdigest()


def to_ns(stamp: int) -> int:
    """Turn a time of the venue into UNIX nanoseconds; it tells milliseconds, or microseconds where asked to."""
    if 0 <= stamp < _LAST_MS:
        return stamp * 1_000_000
    if _LAST_MS * 10 < stamp < _LAST_US:
        return stamp * 1_000
    raise ValueError(f"{stamp} is no time")


def ms_up(ns: int) -> int:
    """Turn nanoseconds into the first millisecond that is not before them."""
    return -(-ns // 1_000_000)


def exact(amount: Decimal) -> Decimal:
    """Return an amount that a venue can mean: finite, and not beyond a quintillion."""
    if not amount.is_finite() or abs(amount) > _MOST:
        raise ValueError(f"{amount} is no amount")
    return amount


def price_ticks(instrument: Instrument, px: Decimal) -> int:
    """Turn a price of the venue into ticks; one between two ticks goes to the nearer."""
    ticks = _steps(px, instrument.tick)
    if ticks <= 0:
        raise ValueError(f"{px} is no price of {instrument.id}")
    return ticks


def some_ticks(instrument: Instrument, px: Decimal | None) -> int | None:
    """Turn a price into ticks where there is one (the venue writes 0 for none)."""
    return None if px is None or px == 0 else price_ticks(instrument, px)


def quantity_lots(instrument: Instrument, qty: Decimal) -> int:
    """Turn a quantity of the venue into lots; less than a lot, as dust may be, goes to the nearer."""
    lots = _steps(qty, instrument.lot)
    if lots < 0:
        raise ValueError(f"{qty} is no quantity of {instrument.id}")
    return lots


def _steps(amount: Decimal, step: Decimal) -> int:
    steps = round(exact(amount) / step)
    if abs(steps) > _MOST_STEPS:
        raise ValueError(f"{amount} is too much")
    return steps
