"""Build the simulated venues that settings describe: money, costs, delays and rules."""

from __future__ import annotations

from decimal import Decimal
from difflib import get_close_matches

from lanner.backtest.config import BacktestConfig, DelayConfig, LatencyConfig
from lanner.core.errors import ConfigError
from lanner.model.instruments import Instrument
from lanner.sim.settings import (
    FillSettings,
    FundingMode,
    GapFill,
    Latency,
    LatencyKind,
    LatencySettings,
    LimitOn,
    MarketOn,
    Slippage,
    SlippageModel,
    VenueSettings,
)


def currency_of(config: BacktestConfig, instruments: dict[str, Instrument]) -> str:
    """Return the currency of the run: that of the money, where an instrument settles in it."""
    named = list(dict.fromkeys(name for amounts in config.cash.values() for name in amounts if name))
    settles = [instrument.settle for instrument in instruments.values()]
    return next((name for name in settles if name in named), named[0] if len(named) == 1 else settles[0])


def check_rates(config: BacktestConfig, instruments: dict[str, Instrument], currency: str) -> None:
    """Refuse money whose worth in the run's currency nobody has told."""
    held = [name for amounts in config.cash.values() for name in amounts if name]
    settled = [instrument.settle for instrument in instruments.values()]
    for name in dict.fromkeys([*settled, *held]):
        if name != currency and name not in config.rates:
            raise ConfigError(
                f"nothing says what {name} is worth in {currency}, the currency of the run",
                expected=f"a rate for {name}",
                fix=f"Add it to the settings, e.g. `rates: {{{name}: 1}}`, or use one currency.",
            )


def venues_of(
    config: BacktestConfig, instruments: dict[str, Instrument], currency: str
) -> dict[str, VenueSettings]:
    """Return the simulated venues of the run by name."""
    names = list(dict.fromkeys(instrument.venue for instrument in instruments.values()))
    balances = _balances(config, names, currency)
    slippage = Slippage(SlippageModel(config.slippage.model), config.slippage.value)
    fills = FillSettings(
        market_on=MarketOn(config.fills.market_on),
        limit_on=LimitOn(config.fills.limit_on),
        gap_fill=GapFill(config.fills.gap_fill),
        participation=config.fills.participation,
        bar_participation=config.fills.bar_participation,
        walk_ticks=config.fills.walk_ticks,
    )
    return {
        name: VenueSettings(
            name=name,
            balances=balances[name],
            slippage=slippage,
            latency=_latency(config.latency, recorded=config.clock == "recorded"),
            fills=fills,
            leverage=config.leverage,
            funding=FundingMode(config.funding),
        )
        for name in names
    }


def _balances(config: BacktestConfig, venues: list[str], currency: str) -> dict[str, dict[str, Decimal]]:
    if set(config.cash) == {""}:
        if len(venues) > 1:
            raise ConfigError(
                "cash does not say at which venue it lies",
                expected=f"amounts for each of {', '.join(venues)}",
                fix=f"Say `cash: {{{', '.join(f'{name}: {{{currency}: 10000}}' for name in venues)}}}`.",
            )
        return {venues[0]: {name or currency: amount for name, amount in config.cash[""].items()}}
    for name in config.cash:
        if name not in venues:
            near = get_close_matches(name, venues, n=1, cutoff=0.5)
            raise ConfigError(
                f"cash names the venue {name!r}, which is not in the data",
                expected=f"one of {', '.join(venues)}",
                fix=f"Did you mean {near[0]}?" if near else None,
            )
    return {name: dict(config.cash.get(name, {})) for name in venues}


def _latency(config: LatencyConfig, *, recorded: bool) -> LatencySettings:
    return LatencySettings(
        feed=Latency(LatencyKind.RECORDED) if recorded else delay_of(config.feed),
        entry=delay_of(config.entry),
        exchange=delay_of(config.exchange),
        response=delay_of(config.response),
        cancel=delay_of(config.cancel) if config.cancel is not None else None,
        amend=delay_of(config.amend) if config.amend is not None else None,
    )


def delay_of(config: DelayConfig) -> Latency:
    """Return a delay of the settings."""
    return Latency(
        kind=LatencyKind(config.model),
        mean_ns=_ns(config.ms),
        sigma_ns=_ns(config.sigma_ms),
        points=tuple((ts, _ns(ms)) for ts, ms in config.points),
    )


def _ns(ms: Decimal) -> int:
    return round(ms * 1_000_000)


def check_leverage(config: BacktestConfig, instruments: dict[str, Instrument]) -> None:
    """Refuse leverage where nothing can be bought on margin, rather than leave it without effect."""
    if config.leverage > 1 and all(instrument.is_spot for instrument in instruments.values()):
        raise ConfigError(
            f"leverage {config.leverage} has no use on spot: {', '.join(instruments)}",
            expected="leverage 1, or a perpetual such as BTC-PERP.HYPERLIQUID",
        )
