"""Build a session's engine from its settings: on its first day, in every replay, and after a crash."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import msgspec

from lanner import __version__
from lanner.backtest.config import FeesConfig
from lanner.backtest.risk_limits import limits_of_risk
from lanner.core.bus import MessageBus
from lanner.core.errors import ConfigError, DataError
from lanner.engine.engine import Engine, LogSink
from lanner.engine.history import bars_needed
from lanner.live.config import SessionConfig
from lanner.live.deadman import check_dead_man
from lanner.live.leverage import check_leverage
from lanner.model.instruments import FeeSchedule, Instrument
from lanner.model.timeframes import split_series, timeframe_ns
from lanner.risk.checks import RiskLimits
from lanner.sim.settings import VenueSettings
from lanner.storage.journal import SessionHead
from lanner.strategy.base import Strategy
from lanner.strategy.registry import load_strategy
from lanner.strategy.sources import source_hash
from lanner.venues.codec import Feed, ProductSpec, Subscription
from lanner.venues.registry import product_of, product_spec
from lanner.venues.rules import Refuser, impossible_for

_ALWAYS = (Feed.QUOTES,)
_LOADING = threading.RLock()


@dataclass(slots=True)
class Plan:
    """What a session is made of, before anything is connected."""

    config: SessionConfig
    instruments: dict[str, Instrument]
    currency: str
    products: tuple[str, ...]


def _fees(known: FeeSchedule, told: FeesConfig) -> FeeSchedule:
    """Return what the settings say of the fees, and the venue's own word on the rest."""
    maker, taker = (told.maker, told.taker) if told.tells_rates else (known.maker, known.taker)
    return FeeSchedule(maker, taker, known.in_base if told.in_base is None else told.in_base)


def make_plan(config: SessionConfig, known: Mapping[str, Instrument]) -> Plan:
    """Settle instruments and currency; raise ``ConfigError`` for what cannot be traded together."""
    instruments = {name: known[name] for name in config.instruments}
    if config.fees is not None:
        instruments = {
            name: msgspec.structs.replace(one, fees=_fees(one.fees, config.fees))
            for name, one in instruments.items()
        }
    settles = list(dict.fromkeys(instrument.settle for instrument in instruments.values()))
    currency = config.currency or settles[0]
    for name in settles:
        if name != currency and name not in config.rates:
            raise ConfigError(
                f"nothing says what {name} is worth in {currency}, the currency of the session",
                expected=f"a rate for {name}",
                fix=f"Add `rates: {{{name}: 1}}`, or trade instruments of one currency.",
            )
    plan = Plan(config, instruments, currency, products_of_session(config))
    check_dead_man(plan)
    check_leverage(config, instruments)
    return plan


def products_of_session(config: SessionConfig) -> tuple[str, ...]:
    """Return the products that the session's instruments are traded on."""
    return tuple(dict.fromkeys(product_of(name) for name in config.instruments))


def head_of(plan: Plan, session: str, started_ns: int) -> SessionHead:
    """Return the journal's first record: enough to build the engine again."""
    loaded = [load_alone(entry.strategy) for entry in plan.config.entries()]
    return SessionHead(
        session,
        plan.config.mode,
        __version__,
        started_ns,
        {
            "config": plan.config.to_plain(),
            "currency": plan.currency,
            "instruments": {
                name: instrument.to_json().decode() for name, instrument in plan.instruments.items()
            },
            "source_hash": source_hash(loaded),
        },
    )


def plan_of(head: SessionHead) -> Plan:
    """Return what a journal's first record says."""
    try:
        config = SessionConfig(**head.spec["config"])
        instruments = {
            name: Instrument.from_json(text.encode()) for name, text in head.spec["instruments"].items()
        }
        return Plan(config, instruments, head.spec["currency"], products_of_session(config))
    except (KeyError, ValueError, msgspec.DecodeError) as error:
        raise DataError("the journal's first record cannot be understood", found=str(error)) from error


def build_engine(
    plan: Plan,
    session: str,
    *,
    bus: MessageBus | None = None,
    log: LogSink | None = None,
    keeps_all: bool = False,
) -> Engine:
    """Return a fresh engine with the session's strategies seated, not started yet.

    ``keeps_all``: no order is forgotten, whatever the settings say, for those who look at all of them afterwards.
    """
    config = plan.config
    engine = Engine(
        plan.instruments,
        plan.currency,
        seed=config.seed,
        run_id=session,
        limits=limits_of(config),
        rates=config.rates,
        bus=bus,
        log=log,
    )
    engine.cache.live = True
    if not keeps_all:
        limit_memory(engine, config)
    if engine.risk is not None:
        engine.risk.closes = False  # the session's kill switch does, when the venue has confirmed the cancels
    for strategy, allocation, instruments in _strategies(config):
        engine.add_strategy(strategy, config.cash * Decimal(repr(allocation)), instruments)
    for name in plan.instruments:
        facts = product_spec(product_of(name))
        product = product_of(name)
        engine.execution.abilities.forbid(
            name, impossible_for(product, plan.instruments[name]), Refuser(product)
        )
        for kind, spec in sources_of(facts):
            engine.subscriptions.add_source(kind, name, spec)
    return engine


def limit_memory(engine: Engine, config: SessionConfig) -> None:
    """Let an engine forget ended orders as the settings say."""
    told = config.retention
    age_ns = int(told.min_age_s * 1e9)
    engine.execution.retention.limit(told.ended_orders, age_ns, compares=config.mode == "live")


def load_alone(ref: str) -> type[Strategy]:
    """Return the strategy class that a reference names; sessions of one process load theirs one after the other.

    Loading a file changes for a moment where modules are found, and that is the process's, not a thread's.
    """
    with _LOADING:
        return load_strategy(ref)


def limits_of(config: SessionConfig) -> RiskLimits:
    """Return the limits of the settings."""
    settings = config.risk.model_dump(mode="json", exclude_none=True)
    return replace(limits_of_risk(config.risk), settings=settings)


def _strategies(config: SessionConfig) -> list[tuple[Strategy, float, Sequence[str]]]:
    made: list[tuple[Strategy, float, Sequence[str]]] = []
    taken: set[str] = set()
    for entry in config.entries():
        strategy = load_alone(entry.strategy)(**entry.params)
        stem, number = entry.id or strategy.id, 2
        strategy.id = stem
        while strategy.id in taken:
            strategy.id = f"{stem}-{number}"
            number += 1
        taken.add(strategy.id)
        if config.timeframe is not None:
            vars(strategy)["timeframe"] = config.timeframe
        made.append((strategy, entry.allocation or 0.0, tuple(entry.instruments)))
    return made


def sources_of(spec: ProductSpec) -> list[tuple[str, str]]:
    """Return what a product can feed an engine with, as kinds and timeframes."""
    kinds = {
        Feed.QUOTES: "quotes",
        Feed.TRADES: "trades",
        Feed.BOOK: "book",
        Feed.FUNDING: "funding",
        Feed.MARK: "mark",
    }
    told = [(kind, "") for feed, kind in kinds.items() if feed in spec.feeds]
    return told + [("bars", timeframe) for timeframe in spec.timeframes]


def wishes_of(engine: Engine) -> list[Subscription]:
    """Return what a started engine needs to hear: what its strategies asked for, and quotes to value it all."""
    subscriptions = engine.subscriptions
    wishes = [Subscription(feed, name) for name in engine.cache.instruments for feed in _ALWAYS]
    for series, route in subscriptions.bars.items():
        name, timeframe = split_series(series)
        if timeframe in subscriptions.source_bars.get(name, ()):
            wishes.append(Subscription(Feed.BARS, name, timeframe))
        del route
    wishes += [Subscription(Feed.TRADES, name) for name in subscriptions.trades]
    wishes += [Subscription(Feed.BOOK, name) for name in engine.book_instruments()]
    for name, instrument in engine.cache.instruments.items():
        if not instrument.is_spot:
            kinds = subscriptions.source_ticks.get(name, set())
            wishes += [Subscription(Feed.MARK, name)] if "mark" in kinds else []
            wishes += [Subscription(Feed.FUNDING, name)] if "funding" in kinds else []
    return list(dict.fromkeys(wishes))


def warm_needs(engine: Engine) -> dict[str, int]:
    """Return how many bars of each source series the indicators need before they mean something."""
    needs = {}
    for series in engine.subscriptions.bars:
        name, timeframe = split_series(series)
        if timeframe in engine.subscriptions.source_bars.get(name, ()) and timeframe_ns(timeframe):
            needed = bars_needed(engine, series)
            if needed:
                needs[series] = needed
    return needs


def venue_settings(plan: Plan, venue: str) -> VenueSettings:
    """Return the simulated venue of a paper session: its money, delays and fill rules."""
    from lanner.live.assumptions import paper_venue

    return paper_venue(plan.config, venue, plan.currency)


def state_of(engine: Engine) -> dict[str, Any]:
    """Return an engine's state in few words, for people and for comparison."""
    return {
        "state_hash": engine.hash.hexdigest(),
        "equity": engine.portfolio.total_equity(),
        "positions": {
            f"{strategy_id}/{instrument_id}": str(position.qty)
            for (strategy_id, instrument_id), position in engine.portfolio.positions.items()
            if position.lots
        },
        "open_orders": sum(1 for _ in engine.execution.working_orders()),
        "orders": engine.execution.retention.order_count,
        "fills": engine.execution.retention.fill_count,
    }
