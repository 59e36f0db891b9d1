"""Tick, volume and dollar bars from trades, one trade at a time."""

from __future__ import annotations

from collections.abc import Sequence

from lanner.core.errors import ConfigError
from lanner.marketdata.bars.by_time import NO_BARS, UNTOLD, told
from lanner.model.market import Bar, Trade
from lanner.model.timeframes import parse_activity, split_series

SPLIT_LIMIT = 100_000
"""One trade may fill at most so many bars; more means that the threshold has the wrong unit."""


def reached(threshold: float) -> float:
    """Return the sum at which a bar counts as full.

    Adding up lots in floating point can stop a hair short of the threshold (ten times 0.1 is
    0.9999999999999999), so a relative 1e-12 is forgiven.
    """
    return threshold * (1.0 - 1e-12)


class ActivityBarBuilder:
    """Build bars that close after so many trades, so much base volume or so much quote volume.

    The trade that reaches the threshold closes the bar and belongs to it whole, so bars overshoot by a
    part of one trade. With ``split=True`` volume and dollar bars cut that trade instead: each bar holds
    exactly the threshold, and a cut trade counts once in every bar it is part of. Bars run from the
    venue time of their first trade to that of their last.
    """

    __slots__ = (
        "_close", "_count", "_full", "_high", "_kind", "_low", "_open", "_quote", "_recv", "_split", "_start",
        "_sum", "_taker", "_threshold", "_ts", "_volume", "series",
    )  # fmt: skip

    def __init__(self, series: str, *, split: bool = False) -> None:
        self.series = series
        self._kind, self._threshold = parse_activity(split_series(series)[1])
        if split and self._kind == "tick":
            raise ConfigError("tick bars cannot split trades", expected="a vol or usd bar", found=series)
        self._full = reached(self._threshold)
        self._split = split
        self._count = self._start = self._ts = self._recv = 0
        self._open = self._high = self._low = self._close = 0.0
        self._volume = self._quote = self._taker = self._sum = 0.0

    def push(self, trade: Trade) -> Sequence[Bar]:
        """Take one trade and return the bars it completed: at most one, unless trades are split."""
        px = trade.px
        qty = trade.qty
        if self._split:
            return self._push_split(trade, px, qty)
        self._add(trade, px, qty)
        kind = self._kind
        self._sum += 1.0 if kind == "tick" else qty if kind == "vol" else px * qty
        return (self._finish(),) if self._sum >= self._full else NO_BARS

    def advance(self, ts: int) -> Sequence[Bar]:
        """Return nothing: the clock completes no bar of this kind."""
        return NO_BARS

    def current(self) -> Bar | None:
        """Return the unfinished bar as it stands, or None when it holds no trade yet."""
        return self._bar() if self._count else None

    def flush(self) -> Sequence[Bar]:
        """Return the unfinished bar and start afresh; for the end of a data set."""
        return (self._finish(),) if self._count else NO_BARS

    def _push_split(self, trade: Trade, px: float, qty: float) -> Sequence[Bar]:
        unit = 1.0 if self._kind == "vol" else px
        if qty * unit > SPLIT_LIMIT * self._threshold:
            raise ConfigError(
                f"{self.series}: one trade would fill more than {SPLIT_LIMIT:,} bars",
                expected="a threshold near the size of many trades",
                found=f"a trade of {qty:g} at {px:g}",
            )
        bars = []
        while self._sum + qty * unit >= self._full:
            part = min(qty, (self._threshold - self._sum) / unit)
            self._add(trade, px, part)
            bars.append(self._finish())
            qty -= part
            if qty * unit <= self._threshold * 1e-12:
                return bars
        self._add(trade, px, qty)
        self._sum += qty * unit
        return bars

    def _add(self, trade: Trade, px: float, qty: float) -> None:
        if self._count == 0:
            self._open = self._high = self._low = px
            self._start = trade.ts_event
        elif px > self._high:
            self._high = px
        elif px < self._low:
            self._low = px
        self._close = px
        self._ts = trade.ts_event
        self._recv = trade.ts_recv
        self._volume += qty
        self._quote += px * qty
        aggressor = trade.aggressor
        if aggressor > 0:
            self._taker += qty
        elif not aggressor:
            self._taker = UNTOLD
        self._count += 1

    def _finish(self) -> Bar:
        bar = self._bar()
        self._count = 0
        self._volume = self._quote = self._taker = self._sum = 0.0
        return bar

    def _bar(self) -> Bar:
        return Bar(
            self.series, self._ts, self._recv, self._start, self._open, self._high, self._low, self._close,
            self._volume, self._quote, self._count, told(self._taker),
        )  # fmt: skip
