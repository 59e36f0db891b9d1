"""Signal functions: what they compute, that they cannot look ahead, and what they say about mistakes."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lanner as ln
from lanner.core.errors import ConfigError, LannerError, StrategyError
from lanner.indicators import ADX, EMA, MACD, SMA, Bollinger, StdDev, Stochastic
from lanner.strategy.base import Strategy
from lanner.strategy.expression import Expr
from lanner.strategy.frame import BarFrame
from lanner.strategy.series import BarSeries, ScalarSeries
from lanner.strategy.vector import SignalStrategy, signal, signal_array
from tests.unit.strategy.play import PERP, SPOT, Ohlc, play, trips

Rule = Callable[..., Any]


def columns(count: int = 120, seed: int = 1) -> dict[str, list[float]]:
    rng = random.Random(seed)
    closes = [100.0]
    for _ in range(count - 1):
        closes.append(closes[-1] * (1 + rng.gauss(0, 0.01)))
    opens = [100.0, *closes[:-1]]
    return {
        "open": opens,
        "high": [max(o, c) + rng.random() for o, c in zip(opens, closes, strict=True)],
        "low": [min(o, c) - rng.random() for o, c in zip(opens, closes, strict=True)],
        "close": closes,
        "volume": [rng.random() for _ in closes],
    }


DATA = columns()


def values(rule: Rule, data: dict[str, list[float]] | None = None, **params: object) -> list[float]:
    return signal_array(signal("1h")(rule), data or DATA, **params)


def same(one: list[float], other: list[float]) -> bool:
    return [None if x != x else x for x in one] == [None if x != x else x for x in other]


@signal("1h")
def ma(bars, fast=10, slow=20):  # type: ignore[no-untyped-def]
    """Be long while the fast average is above the slow one."""
    return bars.close.sma(fast) > bars.close.sma(slow)


# -- what it computes -----------------------------------------------------------------------------------------


def test_a_condition_gives_one_and_zero_and_nan_before_it_is_warm() -> None:
    fast, slow = SMA(3).array(DATA["close"]), SMA(7).array(DATA["close"])
    expected = [math.nan] * 6 + [float(f > s) for f, s in zip(fast[6:], slow[6:], strict=True)]
    assert same(signal_array(ma, DATA, fast=3, slow=7), expected)
    assert same(signal_array(ma, pl.DataFrame(DATA), fast=3, slow=7), expected)
    assert same(signal_array(ma, {"close": np.array(DATA["close"])}, fast=3, slow=7), expected)
    assert same(signal_array(ma(fast=3, slow=7), DATA), expected)


C, H, V = (np.array(DATA[name]) for name in ("close", "high", "volume"))


def back(x: Any, n: int = 1) -> Any:
    return np.concatenate([np.full(n, np.nan), x[:-n]])


AGAINST_NUMPY: list[tuple[str, Rule, Any]] = [
    ("arithmetic", lambda b: (b.close + 1) * 2 / b.high - 3 + 1 / b.close, (C + 1) * 2 / H - 3 + 1 / C),
    ("from the right", lambda b: 5 - b.close % 7 + 2**b.volume, 5 - C % 7 + 2**V),
    ("floor and negation", lambda b: -(b.close // 3) + abs(b.close - 100), -(C // 3) + abs(C - 100)),
    ("shift", lambda b: b.close.shift(3), back(C, 3)),
    ("no shift", lambda b: b.close.shift(0), C),
    ("diff", lambda b: b.close.diff(2), C - back(C, 2)),
    ("pct_change", lambda b: b.close.pct_change(), C / back(C) - 1),
    ("ufuncs", lambda b: np.log(b.close) + np.sqrt(b.high) + np.exp(b.volume), np.log(C) + np.sqrt(H) + np.exp(V)),
    ("two-sided ufuncs", lambda b: np.maximum(b.close, 100.0) - np.minimum(9.0, b.high), np.maximum(C, 100) - 9),
    ("numpy numbers", lambda b: np.float64(2) * b.close + np.int64(1), 2 * C + 1),
    ("np.where", lambda b: np.where(b.close > b.open, b.high, 0.0), np.where(np.array(DATA["open"]) < C, H, 0)),
    ("clip", lambda b: np.clip(b.close, 99, 101) + b.close.clip(99, 101), 2 * np.clip(C, 99, 101)),
    ("where", lambda b: ln.where(b.close > 100, 1, -1), np.where(C > 100, 1, -1)),
    ("logic", lambda b: ((b.close > 100) & (b.volume < 0.5)) | ~(b.high > 101), ((C > 100) & (V < 0.5)) | ~(H > 101)),
    ("exclusive or", lambda b: (b.close > 100) ^ (b.volume < 0.5), (C > 100) ^ (V < 0.5)),
    ("numpy's logic", lambda b: np.logical_and(b.close > 100, np.logical_not(b.high > 101)), (C > 100) & ~(H > 101)),
    ("sign", lambda b: (b.close - 100).sign(), np.sign(C - 100)),
    ("typical", lambda b: b.typical, (H + np.array(DATA["low"]) + C) / 3.0),
    ("shifted condition", lambda b: (b.close > 100).shift(1) & (b.close <= 100), (back(C) > 100) & (C <= 100)),
    ("prev and rising", lambda b: b.close.rising & (b.close.prev < b.high), (back(C) < C) & (back(C) < H)),
    ("field by name", lambda b: b["close"] - b.of("volume"), C - V),
]  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "expected"), [row[1:] for row in AGAINST_NUMPY], ids=[r[0] for r in AGAINST_NUMPY]
)
def test_expressions_agree_with_numpy(rule: Rule, expected: Any) -> None:
    ours = values(rule)
    known = [i for i, value in enumerate(ours) if value == value]
    assert len(known) >= len(ours) - 3
    assert [ours[i] for i in known] == pytest.approx([float(expected[i]) for i in known], rel=1e-14)


def test_rolling_windows_agree_with_polars() -> None:
    close = pl.Series(DATA["close"])
    for rule, expected in (
        (lambda b: b.close.rolling(5).mean(), close.rolling_mean(5)),
        (lambda b: b.close.rolling(5).max(), close.rolling_max(5)),
        (lambda b: b.close.rolling(5).min(), close.rolling_min(5)),
        (lambda b: b.close.rolling(5).sum(), close.rolling_sum(5)),
        (lambda b: b.close.rolling(5).std(), close.rolling_std(5)),
        (lambda b: b.close.rolling(5).std(ddof=0), close.rolling_std(5, ddof=0)),
    ):
        ours = values(rule)
        assert all(x != x for x in ours[:4])
        assert ours[4:] == pytest.approx(expected.to_list()[4:], rel=1e-9)


def test_indicators_are_the_ones_strategies_use() -> None:
    assert same(values(lambda b: b.ema(5)), EMA(5).array(DATA["close"]))
    assert same(values(lambda b: b.high.ema(5)), EMA(5).array(DATA["high"]))
    lines = MACD(3, 6, 4).arrays(DATA["close"])
    for name in lines:
        ours = values(lambda b, which=name: getattr(b.macd(3, 6, 4), which))
        assert ours[8:] == lines[name][8:]
    assert values(lambda b: b.macd(3, 6, 4))[8:] == lines["macd"][8:]
    assert values(lambda b: b.stochastic(5).d)[8:] == Stochastic(5).arrays(DATA)["d"][8:]
    assert values(lambda b: b.adx(5).plus_di)[9:] == ADX(5).arrays(DATA)["plus_di"][9:]
    assert (
        values(lambda b: b.bollinger(5, 1.5).upper)[4:]
        == Bollinger(5, 1.5).arrays(DATA["close"])["upper"][4:]
    )
    assert values(lambda b: b.stddev(5, sample=True))[4:] == StdDev(5, sample=True).array(DATA["close"])[4:]


def test_indicators_of_indicators_add_their_warmups() -> None:
    ours = values(lambda b: b.rsi(5).sma(4).shift(2))
    assert [x == x for x in ours].index(True) == (6 - 1) + (4 - 1) + 2
    assert signal("1h")(lambda bars: bars.rsi(5).sma(4).shift(2) > 0)().line().warmup == 11


def test_equal_parts_are_computed_once() -> None:
    def rule(bars):  # type: ignore[no-untyped-def]
        return (
            (bars.close.sma(5) > bars.open) & (bars.sma(5) > bars.sma(9)) & (bars.close.sma(5) < bars.close)
        )

    source = signal("1h")(rule)().line().source
    assert source.count("bar.close") == 1
    assert source.count("(v0)") == 2  # one sma(5) and one sma(9)


def test_crosses_are_those_of_lines() -> None:
    fast, slow = SMA(3).array(DATA["close"]), SMA(7).array(DATA["close"])
    up = [i for i in range(7, 120) if fast[i] > slow[i] and fast[i - 1] <= slow[i - 1]]
    down = [i for i in range(7, 120) if fast[i] < slow[i] and fast[i - 1] >= slow[i - 1]]
    ours = values(lambda b: b.sma(3).crossed_above(b.sma(7)))
    assert [i for i, x in enumerate(ours) if x == 1] == up
    ours = values(lambda b: b.sma(3).crossed_below(b.sma(7)))
    assert [i for i, x in enumerate(ours) if x == 1] == down
    level = values(lambda b: b.close.crossed_above(100))
    assert [i for i, x in enumerate(level) if x == 1] == [i for i in range(1, 120) if C[i] > 100 >= C[i - 1]]


def test_until_holds_between_two_conditions() -> None:
    closes = [1.0, 2, 3, 2, 1, 3, 1]
    rule = lambda b: (b.close >= 3).until(b.close <= 1)  # noqa: E731
    assert values(rule, {"close": closes}) == [0, 0, 1, 1, 0, 1, 0]
    both = lambda b: (b.close >= 1).until(b.close <= 1)  # noqa: E731
    assert values(both, {"close": closes}) == [0, 1, 1, 1, 0, 1, 0]


def test_nothing_raises_on_division_by_zero_and_the_like() -> None:
    data = {"close": [0.0, 1.0, -1.0, 1e308, 2.0]}
    with np.errstate(all="ignore"):
        x = np.array(data["close"])
        for rule, expected in (
            (lambda b: 1 / b.close, 1 / x),
            (lambda b: b.close / 0, x / 0),
            (lambda b: b.close % 0, x % 0),
            (lambda b: b.close.log(), np.log(x)),
            (lambda b: b.close.sqrt(), np.sqrt(x)),
            (lambda b: b.close.exp(), np.exp(x)),
            (lambda b: b.close**400, x**400),
            (lambda b: b.close * 10, x * 10),
            (lambda b: np.maximum(b.close.log(), 0), np.maximum(np.log(x), 0)),
            (lambda b: b.close.log().fillna(7), np.where(x >= 0, np.log(x), 7)),
        ):
            assert values(rule, data) == pytest.approx(expected.tolist(), nan_ok=True)


# -- look-ahead -----------------------------------------------------------------------------------------------

RULES: list[Rule] = [
    lambda b: b.sma(3) > b.sma(7),
    lambda b: b.close.shift(2) - b.close.diff(3) * b.volume.pct_change(),
    lambda b: (b.rsi(5) < 40).until(b.rsi(5) > 60) & (b.close > b.donchian(5).lower.shift(1)),
    lambda b: b.macd(3, 6, 4).hist.ema(3).sign() * b.close.zscore(9).clip(-1, 1),
    lambda b: b.close.crossed_above(b.bollinger(5).upper) | b.vwap().crossed_below(b.close),
]


@given(rule=st.sampled_from(RULES), cut=st.integers(1, 119), seed=st.integers(1, 5))
def test_values_never_depend_on_later_bars(rule: Rule, cut: int, seed: int) -> None:
    data = columns(seed=seed)
    short = {name: column[:cut] for name, column in data.items()}
    assert same(values(rule, short), values(rule, data)[:cut])


@pytest.mark.parametrize(
    "rule",
    [lambda b: b.close.shift(-1), lambda b: b.close.diff(-2), lambda b: b.close.pct_change(-1)],
)
def test_the_future_is_refused(rule: Rule) -> None:
    with pytest.raises(StrategyError, match="into the future"):
        signal("1h")(rule)()


# -- mistakes -------------------------------------------------------------------------------------------------


def uses_if(bars):  # type: ignore[no-untyped-def]
    if bars.close > bars.open:
        return 1
    return 0


MISTAKES: list[tuple[Rule, str]] = [
    (uses_if, r"lanner\.where\(condition, x, y\) instead of if"),
    (lambda b: b.close > 1 and b.close < 2, r"Write \(a > b\) & \(c > d\)"),
    (lambda b: 1 < b.close < 2, r"Write \(a > b\) & \(c > d\)"),
    (lambda b: not b.close > 1, "~ for not"),
    (lambda b: max(b.close, b.open), r"a\.maximum\(b\)"),
    (lambda b: b.close > b.open & b.close > b.high, "Put each comparison in parentheses"),
    (lambda b: ~b.close, "joins conditions, and this is a number"),
    (lambda b: (b.close > 1) & 5, "joins conditions"),
    (lambda b: len(b.close), "cannot tell its length"),
    (lambda b: sum(b.close), "looped over or unpacked"),
    (lambda b: [x for x in b.bollinger()], r"\.middle, \.upper, \.lower"),  # noqa: C416
    (lambda b: b.close[-2], r"\.shift\(1\)"),
    (lambda b: 3 in b.close, "searched with `in`"),
    (lambda b: math.log(b.close), r"numpy\.log\(x\) or x\.log\(\)"),
    (lambda b: float(b.close), "become a plain number"),
    (lambda b: round(b.close), "become a plain number"),
    (lambda b: range(b.close), "become a plain number"),
    (lambda b: np.asarray(b.close), "turned into an array"),
    (
        lambda b: np.mean(b.close),
        r"numpy\.mean needs the whole series|looped over|turned into an array|does not work",
    ),
    (lambda b: np.cumsum(b.close), r"numpy\.cumsum needs the whole series"),
    (lambda b: np.maximum.accumulate(b.close), r"numpy\.maximum\.accumulate does not work bar by bar"),
    (lambda b: np.sin(b.close), r"numpy\.sin does not work bar by bar"),
    (lambda b: b.close.smaa(3), r"Did you mean sma"),
    (lambda b: b.closes, r"Did you mean close"),
    (lambda b: b["last"], "unknown bar field"),
    (lambda b: b > 3, "not supported|not one number"),
    (lambda b: b.close > b, "Say bars.close"),
    (lambda b: b.close > "3", "only be joined with expressions and plain numbers"),
    (lambda b: b.close * [1, 2], "only be joined with expressions and plain numbers"),
    (lambda b: b.close.sma(b.volume), "a period cannot change from bar to bar"),
    (lambda b: b.close.sma(0), "bad period"),
    (lambda b: b.close.sma(2.5), "bad period"),
    (lambda b: b.close.shift(1.5), "bad number of bars"),
    (lambda b: b.close.diff(0), "at least 1"),
    (lambda b: b.close.rolling(5).std(ddof=2), "0 .population. or 1 .sample."),
    (lambda b: ln.where(True, 1, 2), "nothing in it changes from bar to bar"),
    (lambda b: ln.where(b.close, 1, 2), "joins conditions"),
    (lambda b: None, "Did you forget `return`"),
    (lambda b: (b.close > 1, b.close < 1), r"return entry\.until\(exit\)"),
    (lambda b: "long", "gave nothing to follow"),
]


@pytest.mark.parametrize(("rule", "message"), MISTAKES)
def test_mistakes_are_explained(rule: Rule, message: str) -> None:
    with pytest.raises((StrategyError, ConfigError), match=message):
        signal("1h")(rule)()


def test_a_mistake_is_shown_with_the_users_own_line_only() -> None:
    with pytest.raises(StrategyError) as caught:
        signal("1h")(uses_if)()
    text = str(caught.value)
    assert text.startswith("strategy uses_if failed while the signal was built\n")
    assert "test_signals.py" in text
    assert "if bars.close > bars.open:" in text
    assert "expression.py" not in text
    assert "vector.py" not in text


BAD_SIGNATURES: list[tuple[Callable[[], Any], str]] = [
    (lambda: signal(ma), 'expected @lanner.signal."1h"'),  # type: ignore[arg-type]
    (lambda: signal("7h"), "unknown timeframe"),
    (lambda: signal("1h", stop="two"), "not a distance"),
    (lambda: signal("1h")(3), "stands above a function"),  # type: ignore[arg-type]
    (lambda: signal("1h")(lambda: 1), "takes no bars"),
    (lambda: signal("1h")(lambda bars, *more: 1), "open-ended"),
    (lambda: signal("1h")(lambda bars, **more: 1), "open-ended"),
    (lambda: signal("1h")(lambda bars, fast: 1), "has no default"),
    (lambda: signal("1h")(lambda bars, price=3: 1), "name that every strategy uses"),
    (lambda: signal("1h")(lambda bars, n=None: 1), "cannot be set from outside"),
    (lambda: signal("1h")(lambda bars, n=ln.Param(5, 10, 20): 1), "default does not fit"),
]


@pytest.mark.parametrize(("make", "message"), BAD_SIGNATURES)
def test_bad_signatures_are_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(LannerError, match=message):
        make()


# -- as a strategy --------------------------------------------------------------------------------------------


def test_a_signal_is_a_strategy_with_parameters() -> None:
    @signal("15m", stop="2%", take="4%", allow_short=True)
    def rule(bars, n=10, k=1.5, on=True, kind_of="a", m=ln.Param(3, 2, 5, help="m")):  # type: ignore[no-untyped-def]
        """Do a thing.

        More about it.
        """
        return bars.close > bars.sma(n)

    assert issubclass(rule, SignalStrategy)
    assert issubclass(rule, Strategy)
    assert (rule.name, rule.__name__, rule.timeframe, rule.description) == (
        "rule",
        "rule",
        "15m",
        "Do a thing.",
    )
    assert rule.__module__ == __name__
    assert {name: p.type for name, p in rule.parameters().items()} == {
        "n": int, "k": float, "on": bool, "kind_of": str, "m": int,
    }  # fmt: skip
    assert rule(n="7").values()["n"] == 7
    with pytest.raises(ConfigError, match="from 2 to 5"):
        rule(m=6)
    with pytest.raises(ConfigError, match="no parameter"):
        rule(other=6)


def test_what_the_function_requires_of_parameters_is_a_config_error() -> None:
    @signal("1h")
    def rule(bars, fast=10, slow=20):  # type: ignore[no-untyped-def]
        ln.require(fast < slow, "averages in the wrong order", "fast < slow", f"{fast}, {slow}")
        return bars.sma(fast) > bars.sma(slow)

    with pytest.raises(ConfigError, match="fast < slow"):
        rule(fast=30)


class CrossClass(Strategy):
    """The class that ``ma`` with fast 3 and slow 5 must equal."""

    timeframe = "1h"

    def on_start(self) -> None:
        bars = self.bars()
        self.f, self.s = bars.sma(3), bars.sma(5)

    def on_bar(self, bar: ln.Bar) -> None:
        wanted = self.f > self.s
        if wanted != bool(self.position) and not self.open_orders:
            self.target(1.0 if wanted else 0.0)


def test_signal_and_class_trade_alike_in_the_engine() -> None:
    closes = DATA["close"]
    one, other = play(ma(fast=3, slow=5), closes), play(CrossClass(), closes)
    assert len(one.round_trips) > 5
    assert [trip[:5] for trip in trips(one, "1h")] == [trip[:5] for trip in trips(other, "1h")]


def test_the_engine_follows_the_array_bar_for_bar() -> None:
    array = signal_array(ma, DATA, fast=3, slow=7)
    changes = [i + 1 for i in range(6, 120) if array[i] != (array[i - 1] if i > 6 else 0.0)]
    result = play(ma(fast=3, slow=7), DATA["close"])
    moves = [trip[1] for trip in trips(result, "1h")] + [
        trip[3] for trip in trips(result, "1h") if trip[5] != "still open"
    ]
    assert sorted(moves) == [bar for bar in changes if bar < 120]


def test_numbers_are_weights_and_equal_ones_are_not_repeated() -> None:
    @signal("1h", allow_short=True)
    def rule(bars):  # type: ignore[no-untyped-def]
        return ln.where(bars.close > 102, -0.5, ln.where(bars.close > 100, 0.5, 0.0))

    closes: list[float | Ohlc] = [100.0, 101, 101.5, 103, 104, 100, 100]
    result = play(rule(), closes, instrument=PERP)
    assert trips(result, "1h") == [(1, 2, 101.0, 4, 103.0, "signal"), (-1, 4, 103.0, 6, 100.0, "signal")]
    assert result.fills[0].qty == pytest.approx(50_000 / 101, abs=1e-4)
    long_only = play(rule(), closes, instrument=SPOT)
    assert trips(long_only, "1h") == [(1, 2, 101.0, 4, 103.0, "signal")]


def test_negative_weights_are_flat_unless_shorts_are_allowed() -> None:
    @signal("1h")
    def rule(bars):  # type: ignore[no-untyped-def]
        return ln.where(bars.close > 102, -0.5, 0.5)

    result = play(rule(), [100.0, 101, 103, 104, 100, 100], instrument=PERP)
    assert [trip[0] for trip in trips(result, "1h")] == [1, 1]


def test_nan_holds_the_position() -> None:
    @signal("1h")
    def rule(bars):  # type: ignore[no-untyped-def]
        return ln.where(bars.close > 103, math.nan, ln.where(bars.close > 100, 1.0, 0.0))

    result = play(rule(), [100.0, 101, 104, 105, 100, 100])
    assert trips(result, "1h") == [(1, 2, 101.0, 5, 100.0, "signal")]


def test_a_weight_beyond_one_is_an_error_with_the_remedy() -> None:
    @signal("1h")
    def rule(bars):  # type: ignore[no-untyped-def]
        return bars.close

    with pytest.raises(StrategyError, match=r"from -1 to 1.*\.clip\(-1, 1\)"):
        play(rule(), [100.0, 101])


def test_stop_and_take_protect_the_position() -> None:
    @signal("1h", stop="5%", take="10%")
    def rule(bars):  # type: ignore[no-untyped-def]
        return bars.close > 100

    up: list[float | Ohlc] = [100.0, 101, 105, 112, 115]
    assert trips(play(rule(), up), "1h")[0] == (1, 2, 101.0, 4, 111.1, "take")
    down: list[float | Ohlc] = [100.0, 101, (101, 101, 90, 100.5), 100.5]
    assert trips(play(rule(), down), "1h") == [(1, 2, 101.0, 3, 95.95, "stop")]


def test_several_instruments_share_the_equity() -> None:
    @signal("1h")
    def rule(bars):  # type: ignore[no-untyped-def]
        return bars.close > 100

    result = play(rule(), [100.0, 101, 101, 101], more={"ETH-USDT.TEST": [100.0, 99, 101, 101]})
    assert [(fill.instrument_id, fill.qty) for fill in result.fills] == [
        ("BTC-USDT.TEST", 495.0495),
        ("ETH-USDT.TEST", 495.0495),
    ]


# -- parity of names ------------------------------------------------------------------------------------------


def test_series_and_expressions_offer_the_same_indicators_with_the_same_defaults() -> None:
    import inspect

    def signatures(cls: type, names: set[str]) -> dict[str, list[tuple[str, object]]]:
        return {
            name: [(p.name, p.default) for p in inspect.signature(getattr(cls, name)).parameters.values()]
            for name in names
        }

    scalar = {name for name in vars(ScalarSeries) if not name.startswith("_")} - {"add"}
    whole = {name for name in vars(BarSeries) if not name.startswith("_")} - {
        "of",
        "add_bars",
        "bars_to_warm",
    }
    assert signatures(ScalarSeries, scalar) == signatures(Expr, scalar)
    assert signatures(BarSeries, whole) == signatures(BarFrame, whole)
    assert len(scalar) >= 13
    assert len(whole) >= 9
