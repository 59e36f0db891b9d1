from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanner.core.errors import ConfigError, DataError
from lanner.marketdata.bars import (
    ActivityBarBuilder,
    BarAggregator,
    BarColumns,
    TimeBarBuilder,
    TradeColumns,
    aggregate_bars,
    bar_builder,
    bars_from_trades,
    resample,
    time_grid,
)
from lanner.model.market import Bar, Trade

ID = "BTC-USDT.TEST"
MIN = 60_000_000_000
T0 = 1_700_006_400_000_000_000  # a full hour


def trade(ts: int, px: float, qty: float = 1.0, aggressor: int = 0, recv: int | None = None) -> Trade:
    return Trade(ID, ts, ts if recv is None else recv, px, qty, aggressor)


def run(builder: object, messages: Iterable[object]) -> list[Bar]:
    return [bar for message in messages for bar in builder.push(message)]  # type: ignore[attr-defined]


def columns(trades: Sequence[Trade]) -> TradeColumns:
    return TradeColumns(
        np.array([t.ts_event for t in trades], dtype=np.int64),
        np.array([t.ts_recv for t in trades], dtype=np.int64),
        np.array([t.px for t in trades], dtype=np.float64),
        np.array([t.qty for t in trades], dtype=np.float64),
        np.array([t.aggressor for t in trades], dtype=np.int8),
    )


def as_bars(series: str, bars: BarColumns) -> list[Bar]:
    rows = bars.to_frame().rows(named=True)
    return [Bar(series=series, **row) for row in rows]


def slow_bar(series: str, ts_open: int, ts_event: int, ts_recv: int, inside: Sequence[Trade]) -> Bar:
    """The obvious definition of a bar: look at all its trades at once."""
    volume = quote = taker = 0.0
    for t in inside:
        volume += t.qty
        quote += t.px * t.qty
        taker += t.qty if t.aggressor > 0 else 0.0
    told = all(t.aggressor for t in inside)
    prices = [t.px for t in inside]
    return Bar(
        series, ts_event, ts_recv, ts_open, prices[0], max(prices), min(prices), prices[-1],
        volume, quote, len(inside), taker if told else None,
    )  # fmt: skip


def slow_time_bars(series: str, spec: str, trades: Sequence[Trade]) -> list[Bar]:
    grid = time_grid(spec)
    opens: dict[int, list[Trade]] = {}
    for t in trades:
        opened = grid.floor(t.ts_event)
        if not opens or opened >= max(opens):
            opens.setdefault(opened, []).append(t)
    return [
        slow_bar(series, o, grid.close(o), max(grid.close(o), inside[-1].ts_recv), inside)
        for o, inside in opens.items()
    ]


TRADES = st.lists(
    st.builds(
        lambda gap, lag, ticks, lots, aggressor: (gap, lag, ticks, lots, aggressor),
        st.sampled_from([-MIN, -1, 0, 0, 1, 1_000_000_000, 20_000_000_000, MIN, 5 * MIN, 90 * MIN]),
        st.integers(0, 3_000_000_000),
        st.integers(1, 100_000),
        st.integers(1, 10_000),
        st.sampled_from([-1, 0, 1]),
    ),
    max_size=60,
)


def walk(steps: Iterable[tuple[int, int, int, int, int]]) -> list[Trade]:
    ts, trades = T0 + 123, []
    for gap, lag, ticks, lots, aggressor in steps:
        ts += gap
        trades.append(Trade(ID, ts, ts + lag, ticks * 0.01, lots * 0.001, aggressor))
    return trades


SPECS = st.sampled_from(["1s", "1m", "5m", "1h", "1d", "1w", "1M"])


@given(steps=TRADES, spec=SPECS)
def test_streaming_and_array_time_bars_equal_the_obvious_definition(
    steps: list[tuple[int, int, int, int, int]], spec: str
) -> None:
    trades, series = walk(steps), f"{ID}@{spec}"
    expected = slow_time_bars(series, spec, trades)
    builder = TimeBarBuilder(series)
    complete = run(builder, trades)
    assert complete == expected[:-1]
    assert [*complete, *builder.flush()] == expected
    assert as_bars(series, bars_from_trades(columns(trades), spec, partial=True)) == expected
    assert as_bars(series, bars_from_trades(columns(trades), spec)) == expected[:-1]


@given(steps=TRADES, spec=st.sampled_from(["1m", "5m", "1h", "1M"]))
def test_flat_bars_agree_between_streaming_and_array_form(
    steps: list[tuple[int, int, int, int, int]], spec: str
) -> None:
    trades, series = walk(steps), f"{ID}@{spec}"
    streamed = run(TimeBarBuilder(series, empty="flat"), trades)
    assert as_bars(series, bars_from_trades(columns(trades), spec, empty="flat")) == streamed
    for before, after in pairwise(streamed):
        assert after.ts_open == before.ts_event
        assert after.trades or after.open == after.close == before.close


@given(steps=TRADES, spec=st.sampled_from(["1tick", "7tick", "5vol", "0.5vol", "100usd", "5000usd"]))
def test_streaming_and_array_activity_bars_agree_and_lose_no_trade(
    steps: list[tuple[int, int, int, int, int]], spec: str
) -> None:
    trades, series = walk(steps), f"{ID}@{spec}"
    builder = bar_builder(series)
    complete = run(builder, trades)
    everything = [*complete, *builder.flush()]
    assert as_bars(series, bars_from_trades(columns(trades), spec)) == complete
    assert as_bars(series, bars_from_trades(columns(trades), spec, partial=True)) == everything
    taken = iter(trades)
    for bar in everything:
        inside = [next(taken) for _ in range(bar.trades or 0)]
        expected = slow_bar(series, inside[0].ts_event, inside[-1].ts_event, inside[-1].ts_recv, inside)
        assert bar == expected
    assert next(taken, None) is None


@given(steps=TRADES, kind=st.sampled_from(["vol", "usd"]))
def test_split_bars_hold_exactly_the_threshold(
    steps: list[tuple[int, int, int, int, int]], kind: str
) -> None:
    trades = walk(steps)
    builder = ActivityBarBuilder(f"{ID}@3{kind}" if kind == "vol" else f"{ID}@100usd", split=True)
    bars = run(builder, trades)
    threshold = 3.0 if kind == "vol" else 100.0
    for bar in bars:
        amount = bar.volume if kind == "vol" else bar.quote_volume
        assert amount == pytest.approx(threshold, rel=1e-9)
    rest = builder.flush()
    total = math.fsum(bar.volume for bar in [*bars, *rest])
    assert total == pytest.approx(math.fsum(t.qty for t in trades), rel=1e-9)


FINE = st.lists(
    st.tuples(
        st.sampled_from([1, 1, 1, 1, 2, 3, 60, 61, 300]),
        st.lists(st.integers(1, 1000), min_size=4, max_size=4),
        st.integers(0, 1000),
    ),
    max_size=80,
)


def fine_bars(steps: Iterable[tuple[int, list[int], int]]) -> list[Bar]:
    opened, bars = T0 + 17 * MIN, []
    for gap, prices, lots in steps:
        opened += gap * MIN
        o, c = prices[0], prices[1]
        bars.append(
            Bar(
                f"{ID}@1m",
                opened + MIN,
                opened + MIN + 5,
                opened,
                float(o),
                float(max(prices)),
                float(min(prices)),
                float(c),
                lots * 0.1,
                lots * 0.3,
                lots,
                lots * 0.07 if lots % 7 else None,
            )
        )
    return bars


def bar_columns(bars: Sequence[Bar]) -> BarColumns:
    names = BarColumns.__dataclass_fields__
    ints = {"ts_open", "ts_event", "ts_recv", "trades"}
    return BarColumns(
        *(np.array([getattr(b, n) for b in bars], dtype=np.int64 if n in ints else float) for n in names)
    )


@given(
    steps=FINE,
    coarse=st.sampled_from(["5m", "1h", "4h", "1d", "1w", "1M"]),
    empty=st.sampled_from(["none", "flat"]),
)
def test_aggregation_agrees_between_streaming_and_array_form(
    steps: list[tuple[int, list[int], int]], coarse: str, empty: str
) -> None:
    fine = fine_bars(steps)
    streamed = run(BarAggregator(f"{ID}@1m", coarse, empty=empty), fine)  # type: ignore[arg-type]
    arrays = aggregate_bars(bar_columns(fine), "1m", coarse, empty=empty)  # type: ignore[arg-type]
    assert as_bars(f"{ID}@{coarse}", arrays) == streamed


@given(steps=FINE)
def test_aggregating_in_two_steps_gives_the_same_prices(steps: list[tuple[int, list[int], int]]) -> None:
    fine = fine_bars(steps)
    once = run(BarAggregator(f"{ID}@1m", "1h"), fine)
    quarters = BarAggregator(f"{ID}@1m", "15m")
    hours = BarAggregator(f"{ID}@15m", "1h")
    twice = [bar for b in fine for q in quarters.push(b) for bar in hours.push(q)]
    shape = [(b.ts_open, b.open, b.high, b.low, b.close, b.trades) for b in once]
    other = [(b.ts_open, b.open, b.high, b.low, b.close, b.trades) for b in twice]
    assert other == shape[: len(other)]


def test_a_trade_on_the_boundary_opens_the_next_bar() -> None:
    builder = TimeBarBuilder(f"{ID}@1m")
    assert not builder.push(trade(T0, 100.0))
    assert not builder.push(trade(T0 + MIN - 1, 101.0))
    (bar,) = builder.push(trade(T0 + MIN, 90.0))
    assert (bar.ts_open, bar.ts_event, bar.close, bar.low) == (T0, T0 + MIN, 101.0, 100.0)
    current = builder.current()
    assert current is not None
    assert current.open == 90.0


def test_the_clock_completes_a_bar_without_a_further_trade() -> None:
    builder = TimeBarBuilder(f"{ID}@1m", empty="flat")
    builder.push(trade(T0 + 5, 100.0))
    assert not builder.advance(T0 + MIN - 1)
    (bar,) = builder.advance(T0 + MIN)
    assert bar.close == 100.0
    assert [b.ts_open for b in builder.advance(T0 + 3 * MIN + 7)] == [T0 + MIN, T0 + 2 * MIN]
    assert not builder.push(trade(T0 + 3 * MIN + 8, 101.0))
    assert [b.ts_open for b in builder.push(trade(T0 + 4 * MIN, 102.0))] == [T0 + 3 * MIN]


def test_a_late_trade_is_counted_and_changes_no_published_bar() -> None:
    builder = TimeBarBuilder(f"{ID}@1m")
    builder.push(trade(T0, 100.0))
    builder.push(trade(T0 + MIN, 101.0))
    assert not builder.push(trade(T0 + MIN - 1, 999.0))
    (bar,) = builder.push(trade(T0 + 2 * MIN, 102.0))
    assert bar.high == 101.0
    assert builder.late == 1


def test_a_bar_is_not_known_before_its_last_trade_was_received() -> None:
    builder = TimeBarBuilder(f"{ID}@1m")
    builder.push(trade(T0, 100.0, recv=T0 + MIN + 250))
    (bar,) = builder.push(trade(T0 + MIN, 101.0))
    assert bar.ts_recv == T0 + MIN + 250


def test_an_hour_is_complete_with_its_last_minute() -> None:
    aggregator = BarAggregator(f"{ID}@1m", "1h")
    minutes = fine_bars([(1, [10, 11, 12, 9], 5)] * 43)
    assert [len(aggregator.push(bar)) for bar in minutes] == [0] * 41 + [1, 0]


def test_an_hour_whose_last_minute_is_missing_waits_for_the_next_bar_or_the_clock() -> None:
    by_bar, by_clock = BarAggregator(f"{ID}@1m", "1h"), BarAggregator(f"{ID}@1m", "1h")
    first, second = fine_bars([(1, [10, 11, 12, 9], 5), (50, [20, 21, 22, 19], 5)])
    assert not by_bar.push(first)
    by_clock.push(first)
    (bar,) = by_bar.push(second)
    assert list(by_clock.advance(T0 + 60 * MIN)) == [bar]
    assert (bar.ts_open, bar.ts_event, bar.close) == (T0, T0 + 60 * MIN, 11.0)


def test_a_measurement_that_one_part_lacks_is_not_invented() -> None:
    aggregator = BarAggregator(f"{ID}@1m", "5m")
    with_all, without = fine_bars([(3, [1, 1, 1, 1], 5), (1, [1, 1, 1, 1], 5)])
    lacking = Bar(f"{ID}@1m", without.ts_event, without.ts_recv, without.ts_open, 1.0, 1.0, 1.0, 1.0, 2.0)
    aggregator.push(with_all)
    aggregator.push(lacking)
    bar = aggregator.current()
    assert bar is not None
    assert (bar.quote_volume, bar.trades, bar.taker_buy_volume) == (None, None, None)
    assert bar.volume == 2.5


def test_a_trade_that_does_not_tell_its_aggressor_leaves_the_bought_volume_untold() -> None:
    builder = TimeBarBuilder(f"{ID}@1m")
    for second, aggressor in enumerate((1, 0, -1, 1)):
        builder.push(trade(T0 + second * MIN // 2, 5.0, 1.0, aggressor))
    (later,) = builder.flush()
    assert (later.volume, later.taker_buy_volume) == (2.0, 1.0)
    fresh = TimeBarBuilder(f"{ID}@1m")
    fresh.push(trade(T0, 5.0, 1.0, 1))
    fresh.push(trade(T0 + 1, 5.0, 1.0, 0))
    (bar,) = fresh.push(trade(T0 + MIN, 5.0, 1.0, -1))
    assert (bar.volume, bar.taker_buy_volume) == (2.0, None)
    (rest,) = fresh.flush()
    assert rest.taker_buy_volume == 0.0


def test_ten_lots_of_a_tenth_fill_a_volume_bar_of_one() -> None:
    builder = ActivityBarBuilder(f"{ID}@1vol")
    assert [len(builder.push(trade(T0 + i, 5.0, 0.1))) for i in range(11)] == [0] * 9 + [1, 0]


def test_the_trade_that_overshoots_belongs_to_the_bar_it_completes() -> None:
    builder = ActivityBarBuilder(f"{ID}@10vol")
    builder.push(trade(T0, 5.0, 4.0))
    (bar,) = builder.push(trade(T0 + 9, 6.0, 100.0))
    assert (bar.volume, bar.ts_open, bar.ts_event) == (104.0, T0, T0 + 9)


def test_splitting_cuts_a_large_trade_into_several_bars() -> None:
    builder = ActivityBarBuilder(f"{ID}@10vol", split=True)
    builder.push(trade(T0, 5.0, 4.0, -1))
    bars = builder.push(trade(T0 + 9, 6.0, 21.0, 1))
    assert [(b.volume, b.open, b.taker_buy_volume, b.trades) for b in bars] == [
        (10.0, 5.0, 6.0, 2),
        (10.0, 6.0, 10.0, 1),
    ]
    rest = builder.current()
    assert rest is not None
    assert rest.volume == 5.0


def test_tick_bars_refuse_to_split_trades() -> None:
    with pytest.raises(ConfigError, match="tick bars cannot split trades"):
        ActivityBarBuilder(f"{ID}@100tick", split=True)


def test_a_threshold_in_the_wrong_unit_is_refused_before_memory_is_full() -> None:
    builder = ActivityBarBuilder(f"{ID}@0.000001vol", split=True)
    with pytest.raises(ConfigError, match="one trade would fill more than"):
        builder.push(trade(T0, 5.0, 1000.0))


def test_a_gap_of_years_is_not_filled_with_flat_seconds() -> None:
    builder = TimeBarBuilder(f"{ID}@1s", empty="flat")
    builder.push(trade(T0, 5.0))
    with pytest.raises(DataError, match="too long to be filled"):
        builder.push(trade(T0 + 365 * 86_400_000_000_000, 5.0))


def test_an_unknown_rule_for_empty_bars_is_refused() -> None:
    with pytest.raises(ConfigError, match="none or flat"):
        TimeBarBuilder(f"{ID}@1m", empty="zero")  # type: ignore[arg-type]


def test_a_catalog_frame_is_resampled_with_its_untold_columns_kept_untold() -> None:
    fine = bar_columns(fine_bars([(1, [10, 11, 12, 9], 5)] * 120)).to_frame()
    hours = resample(fine, "1m", "1h")
    assert hours["trades"].to_list() == [210, 300]
    assert hours.schema == fine.schema
    bare = BarColumns.from_frame(fine.with_columns(trades=None))
    assert aggregate_bars(bare, "1m", "1h").to_frame()["trades"].to_list() == [None, None]
