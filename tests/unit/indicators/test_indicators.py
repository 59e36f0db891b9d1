"""Every indicator: exact warm-up, slow definitions, gaps, edge cases, and stability over long series."""

from __future__ import annotations

import hashlib
import math
import random
import statistics
import struct
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanner.core.errors import ConfigError
from lanner.indicators import (
    ADX,
    ATR,
    CCI,
    EMA,
    HMA,
    MACD,
    OBV,
    RMA,
    ROC,
    RSI,
    SMA,
    VWAP,
    WMA,
    AnchoredVWAP,
    Beta,
    Bollinger,
    Correlation,
    Donchian,
    GarmanKlass,
    Highest,
    Ichimoku,
    Keltner,
    Lowest,
    ParabolicSAR,
    Parkinson,
    SessionVWAP,
    Shift,
    StdDev,
    Stochastic,
    StochRSI,
    Sum,
    TrueRange,
    Volatility,
    WilliamsR,
    YangZhang,
    ZScore,
)
from lanner.indicators.base import BarIndicator, Indicator, PairIndicator, Row, rows

NAN = math.nan

SCALARS: list[Callable[[], Indicator]] = [
    lambda: SMA(7),
    lambda: EMA(7),
    lambda: RMA(7),
    lambda: WMA(7),
    lambda: HMA(7),
    lambda: RSI(7),
    lambda: StochRSI(5, 6, 2, 3),
    lambda: Volatility(7),
    lambda: MACD(4, 9, 3),
    lambda: Bollinger(7, 2.0),
    lambda: Highest(7),
    lambda: Lowest(7),
    lambda: Sum(7),
    lambda: StdDev(7),
    lambda: StdDev(7, sample=True),
    lambda: ZScore(7),
    lambda: ROC(7),
    lambda: Shift(3),
]
WHOLE_BARS: list[Callable[[], BarIndicator]] = [
    lambda: ATR(7),
    lambda: TrueRange(),
    lambda: Donchian(7),
    lambda: Keltner(7, 1.5, 5),
    lambda: Keltner(5, 1.5, 7),
    lambda: ParabolicSAR(),
    lambda: Ichimoku(3, 5, 8, 4),
    lambda: Ichimoku(3, 5, 8, 0),
    lambda: Parkinson(7),
    lambda: GarmanKlass(7),
    lambda: YangZhang(7),
    lambda: Stochastic(7, 3, 3),
    lambda: Stochastic(7, 1, 1),
    lambda: WilliamsR(7),
    lambda: CCI(7),
    lambda: ADX(7),
    lambda: OBV(),
    lambda: VWAP(),
    lambda: VWAP(reset_daily=True),
    lambda: SessionVWAP("8h"),
    lambda: AnchoredVWAP("2023-01-01"),
]
PAIRS: list[Callable[[], PairIndicator]] = [lambda: Correlation(7), lambda: Beta(7)]


def walk(count: int, seed: int = 1) -> list[float]:
    rng = random.Random(seed)
    prices = [100.0]
    for _ in range(count - 1):
        prices.append(prices[-1] * (1 + rng.gauss(0, 0.01)))
    return prices


def bars(count: int, seed: int = 1) -> dict[str, list[float]]:
    rng = random.Random(seed + 1)
    closes = walk(count, seed)
    opens = [100.0, *closes[:-1]]
    return {
        "ts_open": [1_700_000_000_000_000_000 + i * 3_600_000_000_000 for i in range(count)],
        "open": opens,
        "high": [max(o, c) + rng.random() for o, c in zip(opens, closes, strict=True)],
        "low": [min(o, c) - rng.random() for o, c in zip(opens, closes, strict=True)],
        "close": closes,
        "volume": [rng.random() * 10 for _ in closes],
    }


def same(one: Sequence[float], other: Sequence[float]) -> bool:
    return len(one) == len(other) and all(
        a == b or (a != a and b != b) for a, b in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("make", [*SCALARS, *WHOLE_BARS], ids=lambda make: repr(make()))
def test_warmup_is_the_number_of_inputs_until_every_line_has_a_value(
    make: Callable[[], Indicator | BarIndicator],
) -> None:
    indicator = make()
    columns = bars(60)
    lines = indicator.arrays(columns if isinstance(indicator, BarIndicator) else columns["close"])  # type: ignore[arg-type]
    ready = [all(lines[name][i] == lines[name][i] for name in lines) for i in range(60)]
    assert ready.index(True) == indicator.warmup - 1
    assert all(ready[indicator.warmup - 1 :])
    assert all(len(line) == 60 for line in lines.values())


@pytest.mark.parametrize("make", SCALARS, ids=lambda make: repr(make()))
def test_array_form_is_the_streaming_form_bit_for_bit(make: Callable[[], Indicator]) -> None:
    prices = walk(300)
    indicator = make()
    streamed = []
    for price in prices:
        before = indicator.value
        indicator.update(price)
        assert same([indicator.prev], [before])
        streamed.append(indicator.value)
    assert same(make().array(prices), streamed)
    assert same(make().arrays(prices)[indicator.lines[0]], streamed)


@pytest.mark.parametrize("make", WHOLE_BARS, ids=lambda make: repr(make()))
def test_array_form_of_bar_indicators_is_the_streaming_form_bit_for_bit(
    make: Callable[[], BarIndicator],
) -> None:
    columns = bars(200)
    indicator = make()
    streamed = []
    for row in rows(columns):
        indicator.update_bar(row)
        streamed.append(indicator.value)
    assert same(make().array(columns), streamed)


# -- against slow definitions ---------------------------------------------------------------------------------

SLOW: list[tuple[Callable[[int], Indicator], Callable[[list[float]], float]]] = [
    (SMA, statistics.fmean),
    (Highest, max),
    (Lowest, min),
    (Sum, math.fsum),
    (StdDev, statistics.pstdev),
    (lambda n: StdDev(n, sample=True), statistics.stdev),
    (
        WMA,
        lambda window: math.fsum(w * x for w, x in enumerate(window, 1)) / math.fsum(range(len(window) + 1)),
    ),
    (lambda n: Bollinger(n, 2.0), statistics.fmean),
]


@pytest.mark.parametrize(("kind", "slow"), SLOW, ids=lambda item: getattr(item, "__name__", "λ"))
@given(
    data=st.lists(st.floats(-1e6, 1e6, allow_nan=False), min_size=1, max_size=60),
    period=st.integers(2, 9),
)
def test_windows_agree_with_their_definition(
    kind: Callable[[int], Indicator], slow: Callable[[list[float]], float], data: list[float], period: int
) -> None:
    values = kind(period).array(data)
    scale = max(1.0, max(map(abs, data)))
    for i, value in enumerate(values):
        if i + 1 < period:
            assert value != value
        else:
            assert value == pytest.approx(slow(data[i + 1 - period : i + 1]), rel=1e-7, abs=1e-6 * scale)


def test_no_drift_over_a_million_values() -> None:
    prices = walk(1_000_000)
    for indicator, slow in (
        (SMA(50), statistics.fmean),
        (Sum(50), math.fsum),
        (StdDev(50), statistics.pstdev),
        (WMA(50), SLOW[6][1]),
    ):
        last = indicator.array(prices)[-1]
        assert last == pytest.approx(slow(prices[-50:]), rel=1e-11)


def test_deviation_keeps_its_digits_where_prices_are_large_and_moves_small() -> None:
    prices = [1e8 + x for x in (0.0, 0.01, -0.01, 0.02, 0.0, 0.01, -0.02, 0.01, 0.0, 0.01)]
    assert StdDev(5).array(prices)[-1] == pytest.approx(statistics.pstdev(prices[-5:]), rel=1e-6)


def test_ema_is_seeded_with_the_simple_average() -> None:
    assert EMA(3).array([1, 2, 6, 4])[2:] == [3.0, 3.5]
    assert RMA(2).array([1, 3, 4])[1:] == [2.0, 3.0]


def test_macd_starts_both_averages_at_the_same_bar() -> None:
    prices = walk(40)
    lines = MACD(3, 6, 4).arrays(prices)
    fast, slow = EMA(3).array(prices[3:]), EMA(6).array(prices)
    assert lines["macd"][5] == fast[2] - slow[5]
    assert lines["macd"][:5] == pytest.approx([NAN] * 5, nan_ok=True)
    assert lines["signal"][8] == pytest.approx(statistics.fmean(lines["macd"][5:9]))
    assert lines["hist"][20] == lines["macd"][20] - lines["signal"][20]


def test_shift_gives_the_past() -> None:
    assert same(Shift(2).array([1, 2, NAN, 4, 5]), [NAN, NAN, 1, 2, NAN])


# -- edges ----------------------------------------------------------------------------------------------------


def flat(count: int, price: float = 0.1) -> dict[str, list[float]]:
    return {name: [price] * count for name in ("open", "high", "low", "close")} | {"volume": [0.0] * count}


def test_flat_markets_are_neutral() -> None:
    columns = flat(60)
    assert RSI(14).array(columns["close"])[-1] == 50.0
    assert Stochastic().arrays(columns)["d"][-1] == 50.0
    assert WilliamsR().array(columns)[-1] == -50.0
    assert CCI().array(columns)[-1] == 0.0
    assert ZScore(20).array(columns["close"])[-1] == 0.0
    assert StdDev(20).array(columns["close"])[-1] == 0.0
    assert ADX(14).array(columns)[-1] == 0.0
    assert VWAP().array(columns)[-1] == pytest.approx(0.1)
    assert OBV().array(columns)[-1] == 0.0


def test_deviation_is_exactly_zero_once_a_moving_price_stands_still() -> None:
    prices = [*walk(500), *[103.7] * 20]
    assert StdDev(20).array(prices)[-1] == 0.0
    assert ZScore(20).array(prices)[-1] == 0.0


def test_rsi_without_losses_is_100_and_without_gains_0() -> None:
    assert RSI(5).array([1, 2, 3, 4, 5, 6, 6])[-2:] == [100.0, 100.0]
    assert RSI(5).array([6, 5, 4, 3, 2, 1])[-1] == 0.0


def test_roc_against_zero_is_zero() -> None:
    assert ROC(1).array([0, 5, 10])[1:] == [0.0, 100.0]


def test_vwap_starts_again_each_utc_day() -> None:
    columns = bars(60)
    running, daily = VWAP().array(columns), VWAP(reset_daily=True).array(columns)
    day = [int(ts) // 86_400_000_000_000 for ts in columns["ts_open"]]
    first = next(i for i in range(1, 60) if day[i] != day[i - 1])
    assert same(daily[:first], running[:first])
    assert daily[first] == pytest.approx(
        (columns["high"][first] + columns["low"][first] + columns["close"][first]) / 3
    )
    assert daily[first] != running[first]


@pytest.mark.parametrize("bad", [NAN, math.inf, -math.inf])
@pytest.mark.parametrize("make", SCALARS[:-1], ids=lambda make: repr(make()))
def test_a_gap_gives_nan_and_a_fresh_warmup(make: Callable[[], Indicator], bad: float) -> None:
    prices = walk(120)
    indicator = make()
    values = indicator.array([*prices[:50], bad, *prices[50:]])
    assert values[50] != values[50]
    assert same(values[51:], make().array(prices[50:]))
    assert same(values[:50], make().array(prices[:50]))


@pytest.mark.parametrize("make", WHOLE_BARS[:-5], ids=lambda make: repr(make()))
def test_a_gap_in_a_bar_gives_nan_and_a_fresh_warmup(make: Callable[[], BarIndicator]) -> None:
    columns = bars(120)
    broken = {
        name: [*values[:50], NAN, *values[50:]] for name, values in columns.items() if name != "ts_open"
    }
    rest = {name: values[50:] for name, values in columns.items() if name != "ts_open"}
    ours = make().arrays(broken)
    fresh = make().arrays(rest)
    for name, values in ours.items():
        assert values[50] != values[50]
        assert same(values[51:], fresh[name])


def test_sums_over_all_bars_go_on_after_a_gap() -> None:
    columns = bars(20)
    broken = {
        name: [*values[:10], NAN, *values[10:]] for name, values in columns.items() if name != "ts_open"
    }
    for kind in (OBV, VWAP):
        values = kind().array(broken)
        assert values[10] != values[10]
        assert values[-1] == kind().array({k: v for k, v in columns.items() if k != "ts_open"})[-1]


def test_nan_at_the_head_only_shifts_the_start() -> None:
    prices = walk(50)
    assert same(EMA(5).array([NAN] * 7 + prices)[7:], EMA(5).array(prices))


@pytest.mark.parametrize(
    "make",
    [
        lambda: SMA(0),
        lambda: EMA(-1),
        lambda: EMA(5, alpha=0),
        lambda: RSI(2.5),  # type: ignore[arg-type]
        lambda: WMA(True),
        lambda: MACD(26, 12),
        lambda: Bollinger(20, 0),
        lambda: Bollinger(20, NAN),
        lambda: StdDev(1, sample=True),
        lambda: ADX(1),
        lambda: Shift(0),
        lambda: Stochastic(14, 0),
        lambda: HMA(1),
        lambda: StochRSI(14, 0),
        lambda: Keltner(20, 0.0),
        lambda: Keltner(20, 2.0, 0),
        lambda: ParabolicSAR(0.0),
        lambda: ParabolicSAR(0.3, 0.02, 0.2),
        lambda: Ichimoku(9, 0, 52),
        lambda: Ichimoku(9, 26, 52, -1),
        lambda: Volatility(1),
        lambda: Volatility(20, 0.0),
        lambda: YangZhang(1),
        lambda: Parkinson(0),
        lambda: GarmanKlass(20, math.inf),
        lambda: Correlation(1),
        lambda: SessionVWAP("1M"),
        lambda: SessionVWAP("1d", 24),
        lambda: AnchoredVWAP("yesterday"),
        lambda: AnchoredVWAP(True),
    ],
)
def test_bad_periods_are_refused_with_what_is_expected(make: Callable[[], object]) -> None:
    with pytest.raises(ConfigError, match="expected"):
        make()


# -- those of later: against slow definitions -------------------------------------------------------------------


def windows(values: Sequence[float], period: int) -> list[list[float]]:
    return [list(values[i + 1 - period : i + 1]) for i in range(period - 1, len(values))]


def close_to(ours: Sequence[float], theirs: Sequence[float], rel: float = 1e-9) -> None:
    head = len(ours) - len(theirs)
    assert all(value != value for value in ours[:head])
    assert list(ours[head:]) == pytest.approx(theirs, rel=rel, abs=1e-12)


def test_close_volatility_is_the_deviation_of_logarithmic_changes() -> None:
    prices = walk(80)
    changes = [math.log(b / a) for a, b in pairwise(prices)]
    expected = [statistics.stdev(window) * math.sqrt(365) for window in windows(changes, 10)]
    close_to(Volatility(10, 365).array(prices), expected)


def test_range_volatilities_are_what_their_authors_wrote() -> None:
    columns, n = bars(80), 10
    o, h, l, c = (columns[name] for name in ("open", "high", "low", "close"))  # noqa: E741
    reach = [math.log(a / b) ** 2 for a, b in zip(h, l, strict=True)]
    parkinson = [math.sqrt(math.fsum(w) / (4 * n * math.log(2)) * 365) for w in windows(reach, n)]
    close_to(Parkinson(n, 365).array(columns), parkinson)
    terms = [
        0.5 * r - (2 * math.log(2) - 1) * math.log(b / a) ** 2 for r, a, b in zip(reach, o, c, strict=True)
    ]
    close_to(
        GarmanKlass(n, 365).array(columns), [math.sqrt(math.fsum(w) / n * 365) for w in windows(terms, n)]
    )
    jumps = [math.log(b / a) for a, b in zip(c, o[1:], strict=False)]
    moves = [math.log(b / a) for a, b in zip(o, c, strict=True)][1:]
    rs = [
        math.log(h[i] / c[i]) * math.log(h[i] / o[i]) + math.log(l[i] / c[i]) * math.log(l[i] / o[i])
        for i in range(1, 80)
    ]
    k = 0.34 / (1.34 + (n + 1) / (n - 1))
    yang_zhang = [
        math.sqrt(statistics.variance(a) + k * statistics.variance(b) + (1 - k) * statistics.fmean(d))
        for a, b, d in zip(windows(jumps, n), windows(moves, n), windows(rs, n), strict=True)
    ]
    close_to(YangZhang(n).array(columns), yang_zhang)


def test_correlation_and_beta_are_what_statistics_says() -> None:
    xs, ys = walk(90, 3), walk(90, 4)
    pairs = list(zip(windows(xs, 12), windows(ys, 12), strict=True))
    close_to(Correlation(12).array(xs, ys), [statistics.correlation(a, b) for a, b in pairs])
    close_to(Beta(12).array(xs, ys), [statistics.linear_regression(b, a).slope for a, b in pairs])


@pytest.mark.parametrize("make", PAIRS, ids=lambda make: repr(make()))
def test_two_series_have_their_warmup_and_restart_after_a_gap_in_either(
    make: Callable[[], PairIndicator],
) -> None:
    xs, ys = walk(60, 3), walk(60, 4)
    values = make().array(xs, ys)
    assert [value == value for value in values].index(True) == make().warmup - 1
    for broken in ((30, 0), (30, 1)):
        series = [list(xs), list(ys)]
        series[broken[1]][broken[0]] = NAN
        after = make().array(*series)
        assert after[30] != after[30]
        assert same(after[31:], make().array(xs[31:], ys[31:]))


def test_a_series_that_stands_still_has_no_correlation_and_no_beta() -> None:
    moving, still = walk(40), [0.1] * 40
    assert Correlation(10).array(moving, still)[-1] == 0.0
    assert Beta(10).array(moving, still)[-1] == 0.0
    assert Correlation(10).array(moving, moving)[-1] == pytest.approx(1.0)


def test_volatility_of_a_market_that_stands_still_is_zero() -> None:
    columns = flat(60)
    for indicator in (Parkinson(), GarmanKlass(), YangZhang()):
        assert indicator.array(columns)[-1] == 0.0
    assert Volatility().array(columns["close"])[-1] == 0.0
    assert StochRSI().arrays(columns["close"])["d"][-1] == 50.0


@pytest.mark.parametrize("price", [0.0, -3.0])
def test_there_is_no_volatility_where_a_price_is_not_positive(price: float) -> None:
    columns = bars(60)
    for name in ("open", "high", "low", "close"):
        columns[name][30] = price
    for indicator in (Parkinson(5), GarmanKlass(5), YangZhang(5)):
        values = indicator.array(columns)
        assert values[30] != values[30]
        assert values[-1] == values[-1]
    values = Volatility(5).array(columns["close"])
    assert values[30] != values[30]
    assert values[-1] == values[-1]


def test_the_parabolic_level_follows_and_turns() -> None:
    highs = [10.0, 11, 12, 13, 14, 9, 8]
    lines = ParabolicSAR().arrays({"high": highs, "low": [high - 1 for high in highs]})
    assert lines["sar"][1:4] == pytest.approx([9.0, 9.04, 9.1584])
    assert lines["trend"][1:] == [1.0, 1.0, 1.0, 1.0, -1.0, -1.0]
    assert lines["sar"][5] == 14.0  # the highest price of the trend that ended


def test_the_spans_of_the_cloud_are_those_of_so_many_bars_ago() -> None:
    columns = bars(60)
    shifted, plain = Ichimoku(3, 5, 8, 4).arrays(columns), Ichimoku(3, 5, 8, 0).arrays(columns)
    for name in ("span_a", "span_b"):
        assert same(shifted[name][4:], plain[name][:-4])
    assert same(shifted["lagging"], columns["close"])
    assert plain["span_a"][20] == (plain["conversion"][20] + plain["base"][20]) / 2
    assert plain["conversion"][20] == (max(columns["high"][18:21]) + min(columns["low"][18:21])) / 2


def test_sessions_begin_at_their_hour_and_weeks_on_monday() -> None:
    columns = bars(24 * 15)
    typical = [
        (a + b + c) / 3.0 for a, b, c in zip(columns["high"], columns["low"], columns["close"], strict=True)
    ]
    hours = [int(ts) // 3_600_000_000_000 for ts in columns["ts_open"]]
    eight = SessionVWAP("8h", start_hour=3).array(columns)
    starts = [i for i in range(1, len(hours)) if eight[i] == typical[i]]
    assert {hours[i] % 24 for i in starts} == {3, 11, 19}
    weekly = SessionVWAP("1w").array(columns)
    mondays = [i for i in range(1, len(hours)) if weekly[i] == typical[i]]
    assert [(hours[i] // 24 + 3) % 7 for i in mondays] == [0, 0]
    assert all(hours[i] % 24 == 0 for i in mondays)
    assert same(SessionVWAP("1d").array(columns), VWAP(reset_daily=True).array(columns))


def test_an_anchored_average_starts_at_its_moment() -> None:
    columns = bars(60)
    moment = int(columns["ts_open"][20])
    later = {name: values[20:] for name, values in columns.items()}
    anchored = AnchoredVWAP(moment).array(columns)
    assert all(value != value for value in anchored[:20])
    assert same(anchored[20:], VWAP().array(later))
    assert AnchoredVWAP("2023-11-14T22:13:20").since_ns == 1_700_000_000_000_000_000
    assert AnchoredVWAP("2023-11-14T23:13:20+01:00").since_ns == 1_700_000_000_000_000_000


def test_outputs_have_the_same_bits_on_every_version_of_python() -> None:
    """Hold the outputs of all indicators on fixed bars to a hash that was taken once."""
    rng = random.Random(8)  # random() is the same everywhere; gauss() leans on the C library
    closes = [100.0]
    for _ in range(399):
        closes.append(closes[-1] * (1.0 + (rng.random() - 0.5) * 0.04))
    columns: dict[str, list[float]] = {
        "ts_open": [1_700_000_000_000_000_000 + i * 3_600_000_000_000 for i in range(400)],
        "open": [100.0, *closes[:-1]],
        "high": [max(a, b) + rng.random() for a, b in zip([100.0, *closes], closes, strict=False)],
        "low": [min(a, b) - rng.random() for a, b in zip([100.0, *closes], closes, strict=False)],
        "close": closes,
        "volume": [rng.random() * 10 for _ in closes],
    }
    digest = hashlib.sha256()
    for make in (*SCALARS, *WHOLE_BARS, *PAIRS):
        indicator: Any = make()
        if isinstance(indicator, BarIndicator):
            lines = indicator.arrays(columns)
        elif isinstance(indicator, PairIndicator):
            lines = indicator.arrays(columns["close"], columns["volume"])
        else:
            lines = indicator.arrays(columns["close"])
        for name in indicator.lines:
            values = [0.0 if value != value else value for value in lines[name]]
            digest.update(struct.pack(f"<{len(values)}d", *values))
    assert digest.hexdigest() == "d322c07899d37d51a54616cdc2f92c51387f9b03adfc096bd3bf8332c10c91c5"


# -- lines ----------------------------------------------------------------------------------------------------


def test_lines_compare_and_calculate_like_numbers() -> None:
    one, two = SMA(1), SMA(1)
    for a, b in ((1, 2), (3, 2)):
        one.update(a)
        two.update(b)
    assert one.crossed_above(two)
    assert two.crossed_below(one)
    assert one.crossed_above(2)
    assert not one.crossed_above(3)
    assert one > two
    assert one >= 3
    assert two < 3
    assert (one + two, one - 1, 2 * one, one / two, 6 / one, -one, abs(-one), 10 - one) == (
        5, 2, 6, 1.5, 2, -3, 3, 7,
    )  # fmt: skip
    assert math.isinf(one / 0)
    assert one.rising
    assert not two.rising


def test_nothing_is_true_of_a_line_that_is_not_warm() -> None:
    cold, warm = SMA(5), SMA(1)
    cold.update(1)
    warm.update(1)
    assert not cold.ready
    assert not any((cold > warm, cold < warm, cold >= 0, cold <= 0))
    assert not any((cold.crossed_above(warm), cold.crossed_below(warm), cold.rising, cold.falling))


def test_several_lines_are_reached_by_name() -> None:
    macd = MACD()
    assert macd.line("macd") is macd is macd.macd
    assert macd.line("hist") is macd.hist
    with pytest.raises(ConfigError, match="one of macd, signal, hist"):
        macd.line("histogram")


def test_columns_of_unequal_length_are_refused() -> None:
    with pytest.raises(ConfigError, match="high: 2, low: 1"):
        ATR().array({"high": [1, 2], "low": [1]})
    assert isinstance(next(iter(rows({"close": [1.0]}))), Row)
