"""Which data sets a synthetic market consists of, and the frames of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lanner.core.errors import ConfigError
from lanner.marketdata.bars import BarColumns, TradeColumns, bars_from_trades
from lanner.marketdata.synth.bars import bar_frames, check_span, coarse_bars
from lanner.marketdata.synth.books import BookMaker
from lanner.marketdata.synth.funding import FUNDING_NS, synthesize_funding
from lanner.marketdata.synth.market import Market
from lanner.marketdata.synth.ticks import quotes_frame, tick_days, trade_columns, trades_frame
from lanner.model.enums import InstrumentKind
from lanner.model.instruments import Instrument
from lanner.model.timeframes import DAY_NS, TIMEFRAMES_NS, timeframe_ns

if TYPE_CHECKING:
    import polars as pl

SYNTH_KINDS = ("bars", "trades", "quotes", "book", "funding", "all")
_USUAL_PRICES = {"BTC": 40_000.0, "ETH": 2_500.0, "BNB": 350.0, "SOL": 100.0, "XRP": 0.55, "DOGE": 0.08}


@dataclass(frozen=True, slots=True)
class SynthPlan:
    """A synthetic market: its instrument and parameters, its span and its seed."""

    instrument: Instrument
    market: Market
    since_ns: int
    days: int
    seed: int

    def __post_init__(self) -> None:
        check_span(self.since_ns, self.days)
        if not 0 <= self.seed < 2**63:
            raise ConfigError("the seed is out of range", expected="0 to 2^63 - 1", found=self.seed)

    def describe(self) -> str:
        """Return the sentence that names this market in data passports; it is enough to make it again."""
        market = self.market
        return (
            f"synthetic: seed {self.seed}, {self.days} days, start price {market.start_price:g}, volatility "
            f"{market.vol:g}, drift {market.drift:g}, spread {market.spread_bps:g} bps, regimes "
            f"{'on' if market.regimes else 'off'}, tick {market.tick:f}, lot {market.lot:f}"
        )

    def kinds(self, wanted: str) -> list[str]:
        """Return the stored kinds that a word of ``SYNTH_KINDS`` stands for."""
        perp = self.instrument.kind is InstrumentKind.LINEAR_PERP
        if wanted not in SYNTH_KINDS:
            raise ConfigError(
                "unknown kind of synthetic data", expected=", ".join(SYNTH_KINDS), found=repr(wanted)
            )
        if wanted == "funding" and not perp:
            raise ConfigError(
                f"{self.instrument.id} pays no funding",
                expected="a perpetual",
                found="a spot instrument",
                fix="Give a perpetual, e.g. --instrument BTC-PERP.SYNTH.",
            )
        if wanted == "all":
            return ["bars", "trades", "quotes", "book"] + (["funding"] if perp else [])
        return [wanted]

    def frames(
        self, kind: str, timeframe: str = "1m", *, from_trades: bool = False
    ) -> Iterator[pl.DataFrame]:
        """Yield the frames of one kind, a day or a week each, with the catalog's column schema.

        Bars come from the bar model, or ``from_trades`` from this market's own prints (activity bars
        always do).
        """
        market, span = self.market, {"since_ns": self.since_ns, "days": self.days, "seed": self.seed}
        if kind == "bars":
            if from_trades or not timeframe_ns(timeframe):
                yield from self._bars_from_trades(timeframe)
            else:
                yield from bar_frames(timeframe, market=market, **span)
        elif kind == "funding":
            yield synthesize_funding(market=market, **span)
        else:
            book = BookMaker(market, self.seed) if kind == "book" else None
            for day in tick_days(market, **span):
                if book is not None:
                    yield book.frame(day)
                elif kind == "trades":
                    yield trades_frame(day.trades, market)
                else:
                    yield quotes_frame(day.quotes, market)

    def _bars_from_trades(self, timeframe: str) -> Iterator[pl.DataFrame]:
        days = (
            trade_columns(day.trades, self.market)
            for day in tick_days(self.market, since_ns=self.since_ns, days=self.days, seed=self.seed)
        )
        if timeframe not in TIMEFRAMES_NS:
            yield from _activity_bars(days, timeframe)
        elif TIMEFRAMES_NS[timeframe] <= DAY_NS:
            for trades in days:
                yield bars_from_trades(trades, timeframe, partial=True).to_frame()
        else:
            daily = [bars_from_trades(trades, "1d", partial=True) for trades in days]
            yield coarse_bars(daily, timeframe, self.since_ns)


def _activity_bars(days: Iterator[TradeColumns], spec: str) -> Iterator[pl.DataFrame]:
    """Build tick, volume or dollar bars across days; trades of an unfinished bar wait for the next day."""
    rest: TradeColumns | None = None
    for trades in days:
        joined = trades if rest is None else _join([rest, trades])
        bars = bars_from_trades(joined, spec)
        rest = joined.take(np.arange(_trades_in(bars), len(joined)))
        if len(bars):
            yield bars.to_frame()


def _trades_in(bars: BarColumns) -> int:
    return 0 if bars.trades is None else sum(bars.trades.tolist())


def _join(parts: Sequence[TradeColumns]) -> TradeColumns:
    names = TradeColumns.__dataclass_fields__
    return TradeColumns(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def usual_price(instrument_id: str) -> float:
    """Return a start price that fits the name of an instrument: 40,000 for BTC, 100 for the unknown."""
    base = instrument_id.upper().partition("-")[0].removesuffix("USDT").removesuffix("USDC")
    return _USUAL_PRICES.get(base, 100.0)


def synth_instrument(instrument_id: str, market: Market) -> Instrument:
    """Return the instrument of a synthetic market: a perpetual when its name says so, else spot."""
    symbol = instrument_id.rpartition(".")[0].upper()
    if symbol.endswith(("-PERP", "-SWAP")):
        return Instrument.perp(
            instrument_id,
            tick=market.tick,
            lot=market.lot,
            min_notional=5,
            maker="0.0002",
            taker="0.0005",
            max_leverage=20,
            maintenance_margin="0.01",
            funding_interval_ns=FUNDING_NS,
        )
    return Instrument.spot(
        instrument_id, tick=market.tick, lot=market.lot, min_notional=5, maker="0.001", taker="0.001"
    )
