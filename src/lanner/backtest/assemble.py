"""Put a result together from what an engine, its venues and the recorders hold after a run."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import lanner
from lanner.analysis import attribute, compute_metrics
from lanner.backtest.assumptions import assumptions
from lanner.backtest.curve import Prices, equity_curve
from lanner.backtest.receipt import Receipt
from lanner.backtest.record import CandleRecorder, PriceRecorder, candles_of_prices
from lanner.backtest.result import BacktestResult, FillRow, OrderRow, PriceSeries
from lanner.backtest.spec import BacktestSpec, Stream
from lanner.backtest.trips import round_trips
from lanner.engine.engine import Engine
from lanner.model.enums import Liquidity
from lanner.model.orders import Order
from lanner.model.reports import FundingPaid, OrderFilled
from lanner.portfolio.positions import Position
from lanner.sim.venue import SimVenue
from lanner.storage.problems import plural

ZERO = Decimal(0)


@dataclass(slots=True)
class Played:
    """A run that is over."""

    spec: BacktestSpec
    engine: Engine
    venues: dict[str, SimVenue]
    prices: dict[str, PriceRecorder]
    candles: dict[str, CandleRecorder]
    start_equity: Decimal
    since: int
    until: int
    receipts: list[Receipt] = field(default_factory=list)

    @property
    def funding(self) -> list[FundingPaid]:
        """Return the funding payments of the run."""
        return [report for report in self.engine.reports if isinstance(report, FundingPaid)]


def assemble(played: Played, events: int, seconds: float, code_hash: str) -> BacktestResult:
    """Return the result of a run."""
    spec, engine = played.spec, played.engine
    fills = engine.execution.fills
    samples = {name: recorder.arrays() for name, recorder in played.prices.items()}
    curve = equity_curve(
        _prices(played, samples),
        [fill for fill, _ in fills],
        played.funding,
        played.start_equity,
        played.since,
        spec.max_points,
    )
    payments = list(zip(engine.funding_after, played.funding, strict=True))
    trips = round_trips(fills, payments, engine.cache.marks, samples, played.until)
    rows = [fill_row(fill, order) for fill, order in fills]
    money = _money(played)
    metrics = compute_metrics(curve, trips, rows, float(played.start_equity), fees=float(money["fees"]))
    total = money["equity"] - played.start_equity
    entries = spec.strategies
    return BacktestResult(
        run_id=spec.run_id,
        name=spec.name,
        strategy=" + ".join(entry.strategy.id for entry in entries),
        params=entries[0].strategy.values()
        if len(entries) == 1
        else {entry.strategy.id: entry.strategy.values() for entry in entries},
        instruments=list(spec.instruments),
        data=[data_row(stream) for stream in spec.streams],
        since_ns=played.since,
        until_ns=played.until,
        currency=spec.currency,
        start_equity=played.start_equity,
        end_equity=money["equity"],
        fees=money["fees"],
        funding=money["funding"],
        events=events,
        seconds=seconds,
        events_per_second=events / seconds if seconds > 0 else 0.0,
        equity=curve,
        round_trips=trips,
        fills=rows,
        orders=[order_row(order) for order in engine.execution.orders.values()],
        attribution=attribute(
            total, fees=money["fees"], funding=money["funding"], slippage=money["slippage"]
        ),
        metrics=metrics,
        assumptions=assumptions(spec, played.venues, played.receipts),
        warnings=_warnings(played),
        series=[_series(played, name, samples) for name in played.prices],
        state_hash=_state_hash(played),
        data_hash=data_hash(spec.streams),
        code_hash=code_hash,
        seed=spec.seed,
        config=spec.config,
        created_at="",
        version=lanner.__version__,
    )


def _prices(played: Played, samples: dict[str, Any]) -> list[Prices]:
    portfolio = played.engine.portfolio
    return [
        Prices(instrument, float(portfolio.rate(instrument.settle)), samples[name][0], samples[name][1])
        for name, instrument in played.spec.instruments.items()
        if name in samples
    ]


def _money(played: Played) -> dict[str, Decimal]:
    """Return equity, fees, funding and slippage in the run's currency, exactly."""
    portfolio = played.engine.portfolio
    money = {"equity": played.start_equity, "fees": ZERO, "funding": ZERO, "slippage": ZERO}
    for position in portfolio.positions.values():
        rate = portfolio.rate(position.instrument.settle)
        money["equity"] += portfolio.exact_pnl(position) * rate
        money["fees"] += position.fees * rate
        money["funding"] += position.funding * rate
        money["slippage"] += position.money(position.slippage) * rate
    return money


def fill_row(fill: OrderFilled, order: Order) -> FillRow:
    """Return an execution as a row of the result."""
    instrument = order.instrument
    unit = instrument.tick * instrument.lot * instrument.multiplier
    return FillRow(
        ts=fill.ts_event,
        instrument_id=instrument.id,
        strategy_id=order.strategy_id,
        order_id=order.order_id,
        trade_id=fill.trade_id,
        side=int(fill.side),
        px=instrument.px_float(fill.px_ticks),
        qty=instrument.qty_float(fill.lots),
        fee=float(fill.fee),
        fee_currency=instrument.settle,
        liquidity="maker" if fill.liquidity is Liquidity.MAKER else "taker",
        slippage=float(unit * (fill.lots * int(fill.side) * (fill.px_ticks - fill.ref_ticks))),
        reason=order.tag or order.intent,
    )


def order_row(order: Order) -> OrderRow:
    """Return the last state of an order as a row of the result."""
    instrument = order.instrument
    return OrderRow(
        order_id=order.order_id,
        strategy_id=order.strategy_id,
        instrument_id=instrument.id,
        side=int(order.side),
        type=order.type.name.lower(),
        qty=instrument.qty_float(order.lots),
        px=None if order.px_ticks is None else instrument.px_float(order.px_ticks),
        stop_px=None if order.stop_ticks is None else instrument.px_float(order.stop_ticks),
        tif=order.tif.name,
        status=order.status.name.lower(),
        cum_qty=instrument.qty_float(order.cum_lots),
        avg_px=None if not order.cum_lots else instrument.px_float(order.notional) / order.cum_lots,
        ts_init=order.ts_init,
        ts_last=order.ts_last,
        reason=order.reason or order.tag or order.intent,
        reject_code=order.reject_code,
    )


def data_row(stream: Stream) -> dict[str, object]:
    """Return what a result says of a data set."""
    return {
        "id": stream.name,
        "kind": stream.kind,
        "rows": stream.rows,
        "start": stream.start_ns,
        "end": stream.end_ns,
        "hash": stream.content_hash,
        "synthetic": stream.synthetic,
        "problems": stream.passport.problems() if stream.passport is not None else [],
    }


def _series(played: Played, name: str, samples: dict[str, Any]) -> PriceSeries:
    recorder = played.candles.get(name)
    return recorder.series() if recorder is not None else candles_of_prices(name, *samples[name])


_COUNTED = {
    "both_hit": (
        "bar",
        "held both a stop and its target; the stop was taken as filled first (finer bars as --detail resolve it)",
    ),
    "stopped_in_entry_bar": ("position", "{was} stopped in the bar of {its} entry, on the worse assumption"),
    "cut_by_balance": ("order", "{was} cut to what the account could pay"),
    "cut_by_volume": ("fill", "{was} cut to the allowed share of the bar's volume"),
    "rejects": ("order", "{was} rejected by the venue"),
}
"""Counter of a venue → what is counted, and what is said of it."""


def _counted(count: int, noun: str, text: str) -> str:
    return f"{plural(count, noun)} {text.format(was=_was(count), its='its' if count == 1 else 'their')}"


def counted(counts: Mapping[str, int]) -> list[str]:
    """Return a warning for each counter of a venue that is not 0."""
    return [_counted(counts[what], *texts) for what, texts in _COUNTED.items() if counts.get(what)]


def _was(count: int) -> str:
    return "was" if count == 1 else "were"


def _warnings(played: Played) -> list[str]:
    """Name what the run met that its reader should know."""
    found: list[str] = []
    counts: dict[str, int] = {}
    for venue in played.venues.values():
        for what, count in venue.counters.items():
            counts[what] = counts.get(what, 0) + count
    found += counted(counts)
    denied = sum(1 for order in played.engine.execution.orders.values() if order.status.name == "DENIED")
    if denied:
        found.append(f"{plural(denied, 'order')} {_was(denied)} denied by the risk limits")
    denied = played.engine.execution.denied_amends
    if denied:
        found.append(f"{plural(denied, 'amend')} {_was(denied)} denied by the risk limits")
    for desk in played.engine.desks.values():
        if desk.shorts_refused:
            found.append(
                f"{desk.strategy_id}: {plural(desk.shorts_refused, 'short target')} on a spot instrument "
                f"{_was(desk.shorts_refused)} treated as flat"
            )
        found += [_dust(desk.strategy_id, position) for position in desk.dust()]
    found += [text for receipt in played.receipts if (text := receipt.warning())]
    still = sum(1 for order in played.engine.execution.orders.values() if order.is_open)
    if still:
        found.append(f"{plural(still, 'order')} {_was(still)} still working at the end")
    if not played.engine.execution.fills:
        found.append("the strategy did not trade")
    return found


def _dust(strategy_id: str, position: Position) -> str:
    instrument = position.instrument
    return (
        f"{strategy_id}: {position.qty:f} {instrument.base} of {instrument.id} could not be sold and is left: the "
        f"venue takes no order below {instrument.qty_text(max(1, instrument.min_lots))} {instrument.base} or "
        f"{instrument.min_notional:f} {instrument.settle}"
    )


def _state_hash(played: Played) -> str:
    """Close the engine's fingerprint with the final positions and balances."""
    state = played.engine.hash
    for (strategy_id, instrument_id), position in sorted(played.engine.portfolio.positions.items()):
        state.add_text(
            f"{strategy_id}|{instrument_id}|{position.lots}|{position.cost}|{position.realised}|"
            f"{position.fees.normalize()}|{position.funding.normalize()}"
        )
    for name, venue in sorted(played.venues.items()):
        for currency, amount in sorted(venue.account.balances.items()):
            state.add_text(f"{name}|{currency}|{amount.normalize()}")
    return state.hexdigest()


def data_hash(streams: Sequence[Stream]) -> str:
    """Return one hash of all the data of a run."""
    digest = hashlib.blake2b(digest_size=16)
    for stream in streams:
        digest.update(f"{stream.kind}|{stream.instrument_id}|{stream.spec}|{stream.content_hash}\n".encode())
    return digest.hexdigest()
