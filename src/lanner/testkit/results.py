"""Build seeded backtest results for tests of whatever reads one: reports, exports, run stores.

The prices are a random walk with clustered volatility, the trades a moving-average cross on them, and the money is
counted bar by bar, so that curve, fills, round trips and attribution agree with each other as a real run's do.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from lanner.analysis import attribute, compute_metrics
from lanner.backtest.result import (
    Assumption,
    BacktestResult,
    EquityCurve,
    FillRow,
    OrderRow,
    PriceSeries,
    RoundTrip,
)

HOUR_NS = 3_600_000_000_000
START_NS = 1_672_531_200_000_000_000  # 2023-01-01 UTC
_FEE = 0.00045
_SLIP = 0.0002
_CENT = Decimal("0.01")
Floats = NDArray[np.float64]


@dataclass(slots=True)
class _Book:
    """Collect what one strategy does with one instrument."""

    fills: list[FillRow] = field(default_factory=list)
    orders: list[OrderRow] = field(default_factory=list)
    trips: list[RoundTrip] = field(default_factory=list)
    position: Floats = field(default_factory=lambda: np.zeros(0))
    pnl: Floats = field(default_factory=lambda: np.zeros(0))
    fees: float = 0.0
    funding: float = 0.0
    slippage: float = 0.0


def build_result(
    *,
    seed: int = 7,
    bars: int = 18_000,
    spacing_ns: int = HOUR_NS,
    instruments: tuple[str, ...] = ("BTC-PERP.HYPERLIQUID",),
    strategies: tuple[str, ...] = ("dual_ma",),
    hold: tuple[int, int] = (4, 90),
    trades: int | None = None,
    start_equity: str = "100000.00",
    start_px: float = 16_500.0,
    drift: float = 0.6,
    name: str = "",
    chart_bars: int = 5_000,
) -> BacktestResult:
    """Return a result of `bars` bars; `trades` limits the round trips of each pair, `drift` is the yearly trend.

    `hold` is the range of bars between changes of mind. The same arguments give the same result on any machine.
    """
    rng = np.random.default_rng(seed)
    ts_open = START_NS + spacing_ns * np.arange(bars, dtype=np.int64)
    cash = Decimal(start_equity)
    share = float(cash) / (len(instruments) * len(strategies))
    books: list[_Book] = []
    series: list[PriceSeries] = []
    benchmark = np.zeros(bars)
    for instrument in instruments:
        prices = _walk(rng, bars, start_px, spacing_ns, drift)
        series.append(_thin(PriceSeries(instrument, "1h", ts_open, *prices), chart_bars))
        books.extend(
            _trade(rng, instrument, strategy, ts_open, prices, share, hold, trades) for strategy in strategies
        )
        if len(series) == 1:
            benchmark = float(cash) * prices[3] / prices[0][0]
    return _assemble(seed, name, strategies, instruments, cash, ts_open, spacing_ns, books, series, benchmark)


def _walk(
    rng: np.random.Generator, bars: int, start_px: float, spacing_ns: int, drift: float
) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Return open, high, low, close and volume with volatility that comes in clusters."""
    step = np.sqrt(spacing_ns / (365 * 24 * HOUR_NS))
    shocks = rng.standard_normal(bars)
    level = np.zeros(bars)
    for index in range(1, bars):
        level[index] = 0.985 * level[index - 1] + 0.09 * rng.standard_normal()
    vol = 0.55 * step * np.exp(level)
    moves = drift * step * step - 0.5 * vol**2 + vol * shocks
    close = np.round(start_px * np.exp(np.cumsum(moves)), _decimals(start_px))
    opened = np.concatenate(([start_px], close[:-1]))
    reach = np.abs(rng.standard_normal((2, bars))) * vol * 0.6
    high = np.round(np.maximum(opened, close) * (1 + reach[0]), _decimals(start_px))
    low = np.round(np.minimum(opened, close) * (1 - reach[1]), _decimals(start_px))
    volume = np.round(900 * np.exp(0.5 * level + 0.4 * rng.standard_normal(bars)), 3)
    return opened, high, low, close, volume


def _decimals(px: float) -> int:
    return max(0, 5 - int(np.floor(np.log10(px))) - 1)


def _trade(
    rng: np.random.Generator,
    instrument: str,
    strategy: str,
    ts_open: NDArray[np.int64],
    prices: tuple[Floats, Floats, Floats, Floats, Floats],
    budget: float,
    hold: tuple[int, int],
    trades: int | None,
) -> _Book:
    """Follow the trend with some luck, in holds of random length, and count every cent."""
    opened, high, low, close, _ = prices
    bars = opened.size
    book = _Book(position=np.zeros(bars), pnl=np.zeros(bars))
    index = 40
    while trades is None or len(book.trips) < trades:
        wait, length = (int(value) for value in rng.integers(hold[0], hold[1] + 1, 2))
        start = index + max(1, wait // 3)
        stop = start + length
        if stop >= bars - 1:
            break
        trend = np.sign(close[stop] - close[start]) if rng.random() < 0.22 else np.sign(rng.random() - 0.42)
        side = 1 if trend >= 0 else -1
        _round_trip(rng, book, instrument, strategy, ts_open, (opened, high, low), start, stop, side, budget)
        index = stop
    book.pnl[1:] += book.position[:-1] * np.diff(close)
    return book


def _round_trip(
    rng: np.random.Generator,
    book: _Book,
    instrument: str,
    strategy: str,
    ts_open: NDArray[np.int64],
    prices: tuple[Floats, Floats, Floats],
    start: int,
    stop: int,
    side: int,
    budget: float,
) -> None:
    opened, high, low = prices
    number = len(book.trips) + 1
    reason = str(rng.choice(["cross", "stop", "take", "time"], p=[0.5, 0.25, 0.15, 0.1]))
    qty = float(
        np.format_float_positional(budget * rng.uniform(0.5, 1.0) / opened[start], 5, fractional=False)
    )
    legs = ((start, side, "cross"), (stop, -side, reason))
    pxs, fees, slips = [], [], []
    for leg, (bar, direction, why) in enumerate(legs):
        raw = float(opened[bar])
        px = raw * (1 + direction * _SLIP)
        fee, slip = qty * px * _FEE, qty * raw * _SLIP
        order_id = f"{strategy}-{instrument.partition('.')[0]}-{2 * number - 1 + leg}"
        ts = int(ts_open[bar])
        book.fills.append(
            FillRow(ts, instrument, strategy, order_id, f"T{2 * number - 1 + leg}", direction, px, qty, fee,
                    "USDC", "taker", slip, why)
        )  # fmt: skip
        book.orders.append(
            OrderRow(order_id, strategy, instrument, direction, "MARKET", qty, None, None, "GTC", "FILLED", qty,
                     px, ts, ts, why)
        )  # fmt: skip
        book.pnl[bar] -= fee
        pxs.append(px)
        fees.append(fee)
        slips.append(slip)
    _mark(book, opened, start, stop, side * qty, pxs)
    funding = -side * qty * pxs[0] * 0.00001 * ((stop - start) // 8)
    book.pnl[stop] += funding
    gross = side * qty * (pxs[1] - pxs[0])
    net = gross - sum(fees) + funding
    book.fees += sum(fees)
    book.slippage += sum(slips)
    book.funding += funding
    extremes = (float(low[start:stop].min()) / pxs[0] - 1, float(high[start:stop].max()) / pxs[0] - 1)
    worst, best = (extremes[0], extremes[1]) if side > 0 else (-extremes[1], -extremes[0])
    book.trips.append(
        RoundTrip(number, instrument, strategy, side, int(ts_open[start]), int(ts_open[stop]), pxs[0], pxs[1],
                  qty, net, gross, sum(fees), funding, sum(slips), net / (qty * pxs[0]), "cross", reason, False,
                  min(worst, 0.0), max(best, 0.0))
    )  # fmt: skip


def _mark(book: _Book, opened: Floats, start: int, stop: int, size: float, pxs: list[float]) -> None:
    """Enter the position for the bars it is held and correct the closes for the true entry and exit prices."""
    book.position[start:stop] = size
    # The next open equals the close before it, so a position held from bar `start` to `stop` earns the moves of
    # the closes start..stop-1, plus its own first bar, minus what the fills gave away against the open.
    book.pnl[start] += size * (opened[start + 1] - pxs[0])
    book.pnl[stop] += size * (pxs[1] - opened[stop])
    book.pnl[stop] -= size * (opened[stop + 1] - opened[stop])


def _thin(series: PriceSeries, limit: int) -> PriceSeries:
    """Keep the newest bars that fit the chart."""
    if series.ts.size <= limit:
        return series
    newest = slice(-limit, None)
    return PriceSeries(
        series.instrument_id,
        series.spec,
        series.ts[newest],
        series.open[newest],
        series.high[newest],
        series.low[newest],
        series.close[newest],
        series.volume[newest],
    )


def _assemble(
    seed: int,
    name: str,
    strategies: tuple[str, ...],
    instruments: tuple[str, ...],
    cash: Decimal,
    ts_open: NDArray[np.int64],
    spacing_ns: int,
    books: list[_Book],
    series: list[PriceSeries],
    benchmark: Floats,
) -> BacktestResult:
    equity = float(cash) + np.cumsum(sum(book.pnl for book in books))
    gross = np.zeros(ts_open.size)
    for number, book in enumerate(books):
        closes = series[number // len(strategies)]
        last = np.interp(ts_open, closes.ts, closes.close)
        gross += np.abs(book.position) * last
    curve = EquityCurve(
        ts=np.concatenate(([ts_open[0]], ts_open + spacing_ns)),
        equity=np.concatenate(([float(cash)], equity)),
        benchmark=np.concatenate(([float(cash)], benchmark)),
        exposure=np.concatenate(([0.0], gross / equity)),
    )
    fees = _money(sum(book.fees for book in books))
    funding = _money(sum(book.funding for book in books))
    slippage = _money(sum(book.slippage for book in books))
    end = _money(float(equity[-1]))
    trips = sorted((trip for book in books for trip in book.trips), key=lambda trip: trip.exit_ts)
    for number, trip in enumerate(trips, 1):
        trip.id = number
    fills = sorted((fill for book in books for fill in book.fills), key=lambda fill: fill.ts)
    orders = sorted((order for book in books for order in book.orders), key=lambda order: order.ts_init)
    events = int(ts_open.size) * len(instruments)
    return BacktestResult(
        run_id=f"20261121-{seed:04d}-dual-ma",
        name=name,
        strategy="+".join(strategies),
        params={"fast": 10, "slow": 20, "stop": "2%", "take": "4%"},
        instruments=list(instruments),
        data=_passports(instruments, ts_open, spacing_ns),
        since_ns=int(ts_open[0]),
        until_ns=int(ts_open[-1]) + spacing_ns,
        currency="USDC",
        start_equity=cash,
        end_equity=end,
        fees=fees,
        funding=funding,
        events=events,
        seconds=0.0143,
        events_per_second=events / 0.0143,
        equity=curve,
        round_trips=trips,
        fills=fills,
        orders=orders,
        attribution=attribute(end - cash, fees=fees, funding=funding, slippage=slippage),
        metrics=compute_metrics(curve, trips, fills, float(cash)),
        assumptions=_assumptions(),
        warnings=[
            "412 bars had a stop and a target inside; the worse was taken (use --detail 1m to resolve)"
        ],
        series=series,
        state_hash="9f2c1b7be04d55aa",
        data_hash="c0ffee5eed0ddba1",
        code_hash="1badb002deadbeef",
        seed=seed,
        config={
            "venue": {"fees": {"maker": "0.00015", "taker": "0.00045"}, "slippage": "2 bps", "leverage": 1},
            "fill": "next_open",
            "data": [f"{instrument}@1h" for instrument in instruments],
        },
        created_at=datetime(2026, 11, 21, 9, 30, tzinfo=UTC).isoformat(),
        version="0.1.0",
    )


def _money(value: float) -> Decimal:
    return Decimal(repr(float(value))).quantize(_CENT)


def _passports(
    instruments: tuple[str, ...], ts_open: NDArray[np.int64], spacing_ns: int
) -> list[dict[str, object]]:
    return [
        {
            "id": f"{instrument}@1h",
            "kind": "bars",
            "rows": int(ts_open.size),
            "start": int(ts_open[0]),
            "end": int(ts_open[-1]) + spacing_ns,
            "hash": "c0ffee5eed0ddba1",
            "synthetic": True,
            "problems": ["3 gaps, the longest 6h (2023-03-24 12:00)", "2 duplicate rows dropped"],
        }
        for instrument in instruments
    ]


def _assumptions() -> list[Assumption]:
    return [
        Assumption(
            "Fills", "next open ± slippage", False, "A signal on a bar's close is filled at the next open."
        ),
        Assumption(
            "Slippage", "2 bps", False, "Every taker fill pays 0.02 % against the price the model saw."
        ),
        Assumption(
            "Market impact", "none", True, "Any size fills at the open; a large order would move the price."
        ),
        Assumption("Latency", "none", True, "Orders arrive the instant they are sent."),
        Assumption("Fees", "0.015 % maker, 0.045 % taker", False, "The venue's base tier, on every fill."),
        Assumption("Funding", "history, hourly", False, "Paid and received at the venue's recorded rates."),
        Assumption(
            "Queue position", "price must trade through", False, "A touch does not fill a resting limit."
        ),
        Assumption(
            "Liquidation", "not modelled", True, "A position survives any loss the account can carry."
        ),
    ]
