"""What an array backtest is handed: market data in any of its shapes, and the settings of account and venue."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from lanner.core.errors import ConfigError, DataError
from lanner.model.instruments import FeeSchedule, Instrument
from lanner.research.market import Market
from lanner.sim.settings import FundingMode, VenueSettings

if TYPE_CHECKING:
    from lanner.backtest.config import BacktestConfig
    from lanner.backtest.spec import Stream

Data = Any
"""A data set or file, a table, a ``Market``, a list of these, or any of them by instrument."""

FILLS = {"next_open": "next_open", "same_close": "close"}
DEFAULT_CAPITAL = 10_000


def _keep_quiet(_share: float) -> None:
    """Nobody wants to know."""


@dataclass(slots=True)
class Setup:
    """Markets by instrument, the venues they are at, and what the settings were."""

    markets: dict[str, Market]
    venues: dict[str, VenueSettings]
    currency: str
    capital: Decimal
    config: BacktestConfig
    streams: list[Stream] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    tell: Callable[[float], object] = _keep_quiet

    @property
    def instruments(self) -> dict[str, Instrument]:
        """Return the instruments by id."""
        return {name: market.instrument for name, market in self.markets.items()}

    def venue(self, name: str) -> VenueSettings:
        """Return the venue settings of an instrument."""
        return self.venues[self.markets[name].instrument.venue]

    def bar_streams(self) -> list[Stream]:
        """Return what was played as streams; those of markets made in Python are described here."""
        if not self.streams:
            self.streams = [_stream(market) for market in self.markets.values()]
        return self.streams


def prepare(
    data: Data,
    kind: str,
    *,
    fill: str,
    capital: object,
    fees: object,
    maker: object,
    taker: object,
    slippage: object,
    leverage: object,
    funding: str | None,
    settings: Mapping[str, Any],
) -> Setup:
    """Open the data and check the settings; the names are those of ``lanner.backtest``."""
    from lanner.backtest.config_file import make_config
    from lanner.backtest.memory import Tables, tables_of

    if fill not in FILLS:
        raise ConfigError("fill is wrong", expected="next_open or same_close", found=repr(fill))
    own = _markets(data)
    refs: list[Any] = ["markets"]
    tables = Tables({})
    if own is None:
        refs, tables = tables_of(data, str(settings.get("instrument") or ""))
    said = {name: value for name, value in settings.items() if value is not None}
    tell = said.pop("progress", _keep_quiet)
    if not callable(tell):
        raise ConfigError("progress is nothing to call", expected="a function of a number", found=repr(tell))
    fills = {"market_on": FILLS[fill], **said.pop("fills", {})}
    values: dict[str, Any] = {
        "strategy": kind,
        "data": [str(ref) for ref in refs],
        "cash": capital,
        "fills": fills,
        "leverage": leverage,
        **said,
    }
    rates = _fees(fees, maker, taker)
    if rates is not None:
        values["fees"] = rates
    if slippage is not None:
        values["slippage"] = slippage
    if funding is not None:
        values["funding"] = funding
    elif own is not None and not any(len(market.funding.bar) for market in own.values()):
        values["funding"] = "assume-zero"
    config = make_config(values)
    setup = _of_markets(own, config, rates) if own is not None else _of_tables(config, tables)
    setup.tell = tell
    tell(0.25)
    return setup


def _fees(fees: object, maker: object, taker: object) -> dict[str, object] | None:
    """Return the fees that were given: one rate for both sides, or each side's own."""
    if fees is None and maker is None and taker is None:
        return None
    if isinstance(fees, Mapping):
        return dict(fees)
    both = {"maker": fees, "taker": fees} if fees is not None else {}
    said = {"maker": maker, "taker": taker}
    return {**both, **{name: rate for name, rate in said.items() if rate is not None}}


def _markets(data: Data) -> dict[str, Market] | None:
    """Return the markets that were handed over, or None where the data is of another shape."""
    found: Sequence[Any]
    if isinstance(data, Market):
        found = [data]
    elif isinstance(data, Mapping):
        found = list(data.values())
    elif isinstance(data, list | tuple):
        found = data
    else:
        return None
    if not found or not all(isinstance(entry, Market) for entry in found):
        return None
    named = {market.instrument.id: market for market in found}
    if len(named) < len(found):
        raise ConfigError("an instrument is given twice", expected="one market for each instrument")
    if isinstance(data, Mapping) and list(data) != list(named):
        raise ConfigError(
            "the names are not those of the markets",
            expected=", ".join(named),
            found=", ".join(map(str, data)),
        )
    return named


def _of_markets(markets: dict[str, Market], config: BacktestConfig, rates: object) -> Setup:
    from lanner.backtest.prepare_venues import check_leverage

    if rates is not None and config.fees is not None:
        fees = FeeSchedule(config.fees.maker, config.fees.taker)
        markets = {
            name: _with_instrument(market, msgspec.structs.replace(market.instrument, fees=fees))
            for name, market in markets.items()
        }
    setup = _setup(markets, config, [], [])
    check_leverage(config, setup.instruments)
    return setup


def _with_instrument(market: Market, instrument: Instrument) -> Market:
    """Return a market with another definition of its instrument, of the same grid."""
    return Market(
        instrument,
        market.timeframe,
        market.columns,
        market.ts,
        market.ticks,
        market.volume_lots,
        market.funding,
    )


def _of_tables(config: BacktestConfig, tables: Any) -> Setup:
    from lanner.backtest.prepare_data import open_data, settle_instruments, stream_of
    from lanner.backtest.prepare_venues import check_leverage

    notes: list[str] = []
    datasets = open_data(config, notes, tables)
    instruments = settle_instruments(config, datasets, notes)
    check_leverage(config, instruments)
    streams = [stream_of(dataset) for dataset in datasets]
    markets: dict[str, Market] = {}
    for name, instrument in instruments.items():
        own = [stream for stream in streams if stream.instrument_id == name]
        bars = [stream for stream in own if stream.kind == "bars"]
        if len(bars) != 1:
            raise DataError(
                f"{name}: array backtests play one series of bars for each instrument",
                expected=f"one, e.g. {name}@1h",
                found=", ".join(stream.label or f"{name}@{stream.spec or stream.kind}" for stream in own),
                fix="Name one series, or use the event engine (lanner backtest).",
            )
        pay = config.funding == "data" and not instrument.is_spot
        rates = [s.chunks(config.since, config.until) for s in own if s.kind == "funding"] if pay else []
        frames = bars[0].chunks(config.since, config.until)
        funding = [frame for chunks in rates for frame in chunks]
        markets[name] = Market.from_frames(instrument, bars[0].spec, frames, funding)
    setup = _setup(markets, config, streams, notes)
    _check_funding(setup)
    return setup


def _setup(
    markets: dict[str, Market], config: BacktestConfig, streams: list[Stream], notes: list[str]
) -> Setup:
    from lanner.backtest.prepare_venues import venues_of

    settles = list(dict.fromkeys(market.instrument.settle for market in markets.values()))
    if len(settles) > 1:
        raise ConfigError(
            "the instruments settle in several currencies",
            expected="one currency",
            found=", ".join(settles),
            fix="Use the event engine (lanner backtest), which converts them.",
        )
    currency = settles[0]
    capital = config.cash[""].get("", config.cash[""].get(currency)) if set(config.cash) == {""} else None
    if capital is None or capital <= 0:
        raise ConfigError("capital is wrong", expected=f"an amount of {currency} above 0")
    venues = list(dict.fromkeys(market.instrument.venue for market in markets.values()))
    spread = config.model_copy(update={"cash": {venue: {currency: capital} for venue in venues}})
    instruments = {name: market.instrument for name, market in markets.items()}
    return Setup(markets, venues_of(spread, instruments, currency), currency, capital, config, streams, notes)


def _check_funding(setup: Setup) -> None:
    """Refuse to trade perpetuals as if funding did not exist, unless that is asked for."""
    from lanner.backtest.run import check_funding

    since = min(int(market.columns["ts_open"][0]) for market in setup.markets.values())
    until = max(int(market.ts[-1]) for market in setup.markets.values())
    check_funding(setup.instruments, setup.venues, setup.streams, since, until)


def funding_is_played(setup: Setup, name: str) -> bool:
    """Tell whether an instrument's funding is part of the run."""
    market = setup.markets[name]
    return not market.instrument.is_spot and setup.venue(name).funding is FundingMode.DATA


def _stream(market: Market) -> Stream:
    """Describe a market that was made in Python."""
    import hashlib

    from lanner.backtest.spec import ChunkSource, Stream

    digest = hashlib.blake2b(digest_size=16)
    for values in (market.ts, market.ticks, market.volume_lots, *market.columns.values()):
        digest.update(np.ascontiguousarray(values).tobytes())
    return Stream(
        "bars",
        market.instrument.id,
        market.timeframe,
        len(market),
        int(market.ts[0]),
        int(market.ts[-1]),
        digest.hexdigest(),
        False,
        None,
        ChunkSource(),
        label=f"{market.series} (arrays)",
    )
