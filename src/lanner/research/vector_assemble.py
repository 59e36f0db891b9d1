"""Make a column of an array backtest a result like any other, and keep it in the run store."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import lanner
from lanner.analysis import attribute, compute_metrics
from lanner.backtest.assemble import counted, data_hash, data_row, fill_row, order_row
from lanner.backtest.assumptions import assumptions
from lanner.backtest.curve import Prices, equity_curve
from lanner.backtest.record import CandleRecorder
from lanner.backtest.result import Assumption, BacktestResult, PriceSeries
from lanner.backtest.spec import BacktestSpec
from lanner.backtest.trips import round_trips
from lanner.core.rng import Rng
from lanner.research.market import Market
from lanner.research.vector_book import Ledger
from lanner.sim.venue import SimVenue
from lanner.storage.problems import plural
from lanner.storage.runs import REPORT, RunStore, new_run_id, write_record

if TYPE_CHECKING:
    from lanner.research.vector_result import ArrayBacktest

MAX_POINTS = 1_000_000
ZERO = Decimal(0)
GIVEN = Assumption(
    "signals",
    "given as arrays",
    True,
    "What decided was computed outside of the run: nothing kept it from looking ahead (lanner check does, for a signal "
    "function).",
)


def new_column_id(name: str) -> str:
    """Return a new id for the run that a column may become."""
    return new_run_id(name, datetime.now(UTC))


def assemble_column(made: ArrayBacktest, number: int) -> BacktestResult:
    """Return one column as the result of a backtest."""
    setup, account = made._setup, made._account(number)
    markets = account.markets
    ledger = made.ledger(number)
    since = min(int(market.columns["ts_open"][0]) for market in markets.values())
    until = max(int(market.ts[-1]) for market in markets.values()) + 1
    samples = {
        name: (market.ts, market.close, market.columns["high"], market.columns["low"])
        for name, market in markets.items()
    }
    curve = equity_curve(
        [Prices(market.instrument, 1.0, market.ts, market.close) for market in markets.values()],
        [fill for fill, _ in ledger.fills],
        [payment for _, payment in ledger.payments],
        setup.capital,
        int(min(market.ts[0] for market in markets.values())),
        MAX_POINTS,
    )
    marks = {name: float(market.close[-1]) for name, market in markets.items()}
    trips = round_trips(ledger.fills, ledger.payments, marks, samples, until)
    rows = [fill_row(fill, order) for fill, order in ledger.fills]
    money = money_of(ledger, markets, marks)
    total = money["pnl"]
    book_counts = {
        name: sum(int(book[name]) for book in made._made[number].books.values()) for name in ("both_hit",)
    }
    bars = sum(len(market) for market in markets.values())
    seconds = made._seconds / len(made)
    streams = [stream for stream in setup.bar_streams() if stream.instrument_id in markets]
    return BacktestResult(
        run_id=new_column_id(made.name),
        name=made.name,
        strategy=made.name,
        params={"kind": made.kind, "column": made.labels[number] or "0"},
        instruments=list(markets),
        data=[data_row(stream) for stream in streams],
        since_ns=since,
        until_ns=until,
        currency=setup.currency,
        start_equity=setup.capital,
        end_equity=setup.capital + total,
        fees=money["fees"],
        funding=money["funding"],
        events=bars,
        seconds=seconds,
        events_per_second=bars / seconds if seconds > 0 else 0.0,
        equity=curve,
        round_trips=trips,
        fills=rows,
        orders=[order_row(order) for order in ledger.orders],
        attribution=attribute(
            total, fees=money["fees"], funding=money["funding"], slippage=money["slippage"]
        ),
        metrics=compute_metrics(curve, trips, rows, float(setup.capital), fees=float(money["fees"])),
        assumptions=_assumptions(made, number),
        warnings=_warnings(ledger, book_counts),
        series=[_candles(market) for market in markets.values()],
        state_hash=_state_hash(ledger),
        data_hash=data_hash(streams),
        code_hash=made.fingerprint(number),
        seed=1,
        config=setup.config.to_plain(),
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        version=lanner.__version__,
    )


def money_of(ledger: Ledger, markets: Mapping[str, Market], marks: Mapping[str, float]) -> dict[str, Decimal]:
    """Return profit, fees, funding and slippage of a ledger, exactly; what is held counts at its mark."""
    money = {"pnl": ZERO, "fees": ZERO, "funding": ZERO, "slippage": ZERO}
    lots = dict.fromkeys(markets, 0)
    for fill, order in ledger.fills:
        instrument = order.instrument
        unit = instrument.tick * instrument.lot * instrument.multiplier
        signed = int(fill.side) * fill.lots
        lots[instrument.id] += signed
        money["pnl"] -= unit * (signed * fill.px_ticks) + fill.fee
        money["fees"] += fill.fee
        money["slippage"] += unit * (signed * (fill.px_ticks - fill.ref_ticks))
    for name, held in lots.items():
        instrument = markets[name].instrument
        if held:
            money["pnl"] += instrument.lot * instrument.multiplier * held * Decimal(repr(marks[name]))
    for _, payment in ledger.payments:
        money["funding"] += payment.amount
        money["pnl"] += payment.amount
    return money


def _assumptions(made: ArrayBacktest, number: int) -> list[Assumption]:
    """Return what every backtest with these venues assumes, and what array backtests assume beyond that."""
    setup, markets = made._setup, made._account(number).markets
    spec = BacktestSpec(
        made.name, made.name, [], setup.bar_streams(), setup.instruments, setup.venues, setup.currency
    )
    venues = {
        name: SimVenue(
            venue,
            {key: m.instrument for key, m in markets.items() if m.instrument.venue == name},
            dict.fromkeys(markets, "bars"),
            Rng(1),
        )
        for name, venue in setup.venues.items()
        if any(m.instrument.venue == name for m in markets.values())
    }
    found = assumptions(spec, venues)
    found.append(GIVEN)
    if len(markets) > 1:
        found.append(
            Assumption(
                "cash",
                "shared",
                False,
                "The instruments pay from one account, in the order of time and as given.",
            )
        )
    return found


def _warnings(ledger: Ledger, counts: Mapping[str, int]) -> list[str]:
    found = counted(counts)
    refused = sum(order.status.name == "REJECTED" for order in ledger.orders)
    found += counted({"rejects": refused})
    still = sum(order.is_open for order in ledger.orders)
    if still:
        found.append(f"{plural(still, 'order')} {'was' if still == 1 else 'were'} still working at the end")
    if not ledger.fills:
        found.append("nothing was traded")
    return found


def _candles(market: Market) -> PriceSeries:
    import polars as pl

    names = ("ts_open", "open", "high", "low", "close", "volume")
    recorder = CandleRecorder(market.instrument.id, market.timeframe, len(market))
    frame = pl.DataFrame({name: market.columns[name] for name in names})
    for _ in recorder.pass_through([frame]):
        pass
    return recorder.series()


def _state_hash(ledger: Ledger) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for fill, _ in ledger.fills:
        digest.update(
            f"{fill.instrument_id}|{fill.ts_event}|{int(fill.side)}|{fill.lots}|{fill.px_ticks}|{fill.fee.normalize()}\n".encode()
        )
    for after, payment in ledger.payments:
        digest.update(f"{after}|{payment.instrument_id}|{payment.amount.normalize()}\n".encode())
    return digest.hexdigest()


def keep_column(result: BacktestResult, store: RunStore | None, notes: list[str]) -> Path:
    """Keep a column's result and its report in the run store; without a store it is the default one."""
    import msgspec

    from lanner.backtest.export import save_result
    from lanner.backtest.keep import record_of
    from lanner.backtest.report import write_report
    from lanner.storage.environment import default_runs

    target = RunStore(default_runs()) if store is None else store
    with target.create(result.run_id) as draft:
        save_result(result, draft)
        write_report(result, draft / REPORT)
        write_record(draft, msgspec.structs.replace(record_of(result), kind="arrays", notes=list(notes)))
    return target.folder(result.run_id)
