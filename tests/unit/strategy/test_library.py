"""The built-in strategies on bars whose entries and exits can be worked out by hand."""

from __future__ import annotations

import random
from typing import Any

import pytest

from lanner.core.errors import ConfigError
from lanner.indicators import EMA, MACD
from lanner.indicators.base import rows
from lanner.sim.settings import FillSettings
from lanner.strategy.base import Strategy, as_fraction
from lanner.strategy.library import (
    BUILT_IN,
    BollingerBreakout,
    DualMa,
    Grid,
    MacdDivergence,
    RsiMeanReversion,
    TripleMa,
)
from lanner.strategy.library.macd_divergence import Divergence
from tests.unit.strategy.play import PERP, SPOT, START, Ohlc, play, trips

WAVE = [100.0] * 6 + [101, 103, 106, 110, 108, 104, 99, 95, 94, 93, 95, 99, 104]


def bare(cls: type[Strategy], **params: Any) -> Strategy:
    """Return the strategy without its stop-loss and ROI table, so that only its rules trade."""
    return type(cls.__name__, (cls,), {"stop_loss": None, "roi": {}})(**params)  # type: ignore[no-any-return]


# -- parameters -----------------------------------------------------------------------------------------------

DEFAULTS: dict[str, dict[str, object]] = {
    "dual_ma": {"fast": 10, "slow": 20, "ma_type": "sma"},
    "triple_ma": {"fast": 5, "medium": 20, "slow": 50, "ma_type": "ema"},
    "rsi_mean_reversion": {
        "rsi_period": 14, "oversold": 30, "overbought": 70, "exit_level": 50, "enable_long": True, "enable_short": True,
    },
    "bollinger_breakout": {
        "period": 20, "std": 2, "breakout_threshold": 0.001, "enable_long": True, "enable_short": True,
        "use_volume_filter": False, "volume_multiplier": 1.5,
    },
    "macd_divergence": {"fast": 12, "slow": 26, "signal": 9, "lookback": 14, "min_bars_between": 5},
    "grid": {
        "upper": 0, "lower": 0, "grid_count": 10, "order_size": 0.001, "take_profit_pct": 0.5, "enable_long": True,
        "enable_short": False, "max_position": 1,
    },
}  # fmt: skip


def test_names_defaults_and_protection_are_as_documented() -> None:
    found = {cls.name: {name: param.default for name, param in cls.parameters().items()} for cls in BUILT_IN}
    assert found == DEFAULTS
    protection = {cls.name: (cls.timeframe, cls.stop_loss, dict(cls.roi)) for cls in BUILT_IN}
    assert protection == {
        "dual_ma": ("15m", "5%", {0: "4%", 20: "2%", 60: "1%"}),
        "rsi_mean_reversion": ("15m", "5%", {0: "3%", 15: "2%", 40: "1%"}),
        "bollinger_breakout": ("15m", "5%", {0: "5%", 30: "3%", 90: "1.5%"}),
        "triple_ma": ("1h", "5%", {0: "5%", 30: "3%", 90: "1.5%"}),
        "macd_divergence": ("4h", "4%", {0: "6%", 60: "4%", 180: "2%"}),
        "grid": ("1m", "10%", {0: "2%", 60: "1%"}),
    }
    for cls in BUILT_IN:
        assert cls.description
        assert cls.kind != Strategy.kind
        stages = [as_fraction(profit) for _, profit in sorted(cls.roi.items())]
        assert stages == sorted(stages, reverse=True)
        assert all(param.help for param in cls.parameters().values())


WRONG: list[tuple[type[Strategy], dict[str, Any], str]] = [
    (DualMa, {"fast": 20, "slow": 20}, "fast < slow"),
    (DualMa, {"fast": 1}, "from 2"),
    (DualMa, {"slow": 201}, "to 200"),
    (DualMa, {"ma_type": "hull"}, "one of sma, ema"),
    (TripleMa, {"medium": 50}, "fast < medium < slow"),
    (TripleMa, {"fast": 20}, "fast < medium < slow"),
    (RsiMeanReversion, {"rsi_period": 51}, "from 2 to 50"),
    (RsiMeanReversion, {"oversold": 50}, "less than 50"),
    (RsiMeanReversion, {"overbought": 50}, "more than 50"),
    (RsiMeanReversion, {"exit_level": 30}, "between oversold"),
    (RsiMeanReversion, {"exit_level": 75}, "between oversold"),
    (BollingerBreakout, {"period": 4}, "from 5 to 100"),
    (BollingerBreakout, {"std": 3.5}, "from 1.0 to 3.0"),
    (BollingerBreakout, {"breakout_threshold": 0.06}, "from 0.0 to 0.05"),
    (BollingerBreakout, {"volume_multiplier": 0.9}, ">= 1.0"),
    (MacdDivergence, {"fast": 26}, "fast < slow"),
    (MacdDivergence, {"lookback": 4}, "from 5"),
    (MacdDivergence, {"min_bars_between": 1}, "from 2"),
    (MacdDivergence, {"lookback": 6, "min_bars_between": 7}, "at most lookback"),
    (Grid, {}, "upper and lower"),
    (Grid, {"upper": 10, "lower": 20}, "upper > lower"),
    (Grid, {"upper": 20, "lower": 10, "grid_count": 1}, "from 2 to 100"),
    (Grid, {"upper": 20, "lower": 10, "grid_count": 101}, "from 2 to 100"),
    (Grid, {"upper": 20, "lower": 10, "order_size": 0}, "order_size.*more than 0"),
    (Grid, {"upper": 20, "lower": 10, "take_profit_pct": 0}, "take_profit_pct.*more than 0"),
]


@pytest.mark.parametrize(("cls", "params", "message"), WRONG)
def test_parameters_out_of_range_are_refused(
    cls: type[Strategy], params: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        cls(**params)


# -- dual_ma --------------------------------------------------------------------------------------------------


def test_dual_ma_turns_with_each_cross() -> None:
    result = play(bare(DualMa, fast=2, slow=4), WAVE, instrument=PERP)
    # Fast above slow at bar 6 (100.5 > 100.25), below at bar 11 (106 < 107), above at bar 17 (97 > 95.5);
    # each is filled at the next open, which is the close of the bar that decided.
    assert trips(result, "15m") == [
        (1, 7, 101.0, 12, 104.0, "cross down"),
        (-1, 12, 104.0, 18, 99.0, "cross up"),
        (1, 18, 99.0, 19, 104.0, "still open"),
    ]


def test_dual_ma_goes_flat_where_shorts_are_impossible() -> None:
    result = play(bare(DualMa, fast=2, slow=4), WAVE, instrument=SPOT)
    assert [trip[:4] for trip in trips(result, "15m")] == [(1, 7, 101.0, 12), (1, 18, 99.0, 19)]


def test_dual_ma_invests_95_per_cent() -> None:
    result = play(bare(DualMa, fast=2, slow=4), WAVE[:10])
    assert result.fills[0].qty == 940.594  # 95,000 / 101, rounded down to the lot


def test_roi_table_and_stop_loss_protect_the_position() -> None:
    # 4 % at once, 2 % from 20 minutes on: bar 7 reaches 103 only, bar 8 crosses 103.02.
    result = play(DualMa(fast=2, slow=4), WAVE[:11])
    assert trips(result, "15m") == [(1, 7, 101.0, 9, 103.02, "roi")]
    crash: list[float | Ohlc] = [*WAVE[:7], (101, 101.5, 90, 92), 92.0]
    result = play(DualMa(fast=2, slow=4), crash)
    assert trips(result, "15m") == [(1, 7, 101.0, 8, 95.95, "stop")]


def test_dual_ma_follows_exponential_averages_too() -> None:
    bars = wild_bars(300, 3)
    closes = columns_of(bars)["close"]
    fast, slow = EMA(5).array(closes), EMA(12).array(closes)
    ups = [i + 1 for i in range(12, 300) if fast[i] > slow[i] and fast[i - 1] <= slow[i - 1]]
    result = play(bare(DualMa, fast=5, slow=12, ma_type="ema"), bars)
    assert len(ups) > 5
    assert [trip[1] for trip in trips(result, "15m")] == [bar for bar in ups if bar < 300]


# -- triple_ma ------------------------------------------------------------------------------------------------


def test_triple_ma_needs_all_three_in_line() -> None:
    strategy = bare(TripleMa, fast=2, medium=3, slow=5, ma_type="sma")
    # Bar 5: fast 97 > medium 95.33 crosses up, but medium < slow 95.8: no entry. Bar 8: fast 99.5 < medium 100.
    # Bar 11: fast 101.5 > medium 100.33 > slow 100: in at the next open. Bar 15: fast 107 < medium 107.67: out; the
    # medium is still above the slow 106.4, so no short.
    closes: list[float | Ohlc] = [
        100,
        98,
        95,
        92,
        94,
        100,
        101,
        100,
        99,
        98,
        100,
        103,
        106,
        109,
        108,
        106,
        105,
    ]
    assert trips(play(strategy, closes, instrument=PERP), "1h") == [(1, 12, 103.0, 16, 106.0, "cross down")]
    mirrored: list[float | Ohlc] = [200.0 - price for price in closes if isinstance(price, float | int)]
    assert trips(play(strategy, mirrored, instrument=PERP), "1h") == [(-1, 12, 97.0, 16, 94.0, "cross up")]
    assert trips(play(strategy, mirrored), "1h") == []


# -- rsi_mean_reversion ---------------------------------------------------------------------------------------


def test_rsi_enters_when_it_turns_and_leaves_in_the_middle() -> None:
    strategy = bare(RsiMeanReversion, rsi_period=2, oversold=40, overbought=60)
    # Wilder RSI(2) of the closes: 0 at bars 2 and 3; bar 4: gain .5, loss 1 → 33.3 and rising; bar 5: 71.4 ≥ 50.
    closes: list[float | Ohlc] = [100.0, 98, 96, 94, 95, 97, 97]
    assert trips(play(strategy, closes), "15m") == [(1, 5, 95.0, 6, 97.0, "back up")]
    mirrored: list[float | Ohlc] = [100.0, 102, 104, 106, 105, 103, 103]
    assert trips(play(strategy, mirrored, instrument=PERP), "15m") == [(-1, 5, 105.0, 6, 103.0, "back down")]
    assert trips(play(strategy, mirrored), "15m") == []
    long_only = bare(RsiMeanReversion, rsi_period=2, oversold=40, overbought=60, enable_short=False)
    assert trips(play(long_only, mirrored, instrument=PERP), "15m") == []
    short_only = bare(RsiMeanReversion, rsi_period=2, oversold=40, overbought=60, enable_long=False)
    assert trips(play(short_only, closes, instrument=PERP), "15m") == []


# -- bollinger_breakout ---------------------------------------------------------------------------------------

# Window of 5 at bar 5: mean 102, σ 4.05, so the band at 1.5 σ is 108.07 and the close 110 is beyond it by more than
# 0.1 %; the close before, 100, was inside. At bar 9 the close 104 is below the mean 107.8.
BREAKOUT: list[float | Ohlc] = [100.0, 101, 99, 100, 100, 110, 111, 109, 105, 104, 104]


def test_bollinger_goes_with_a_close_beyond_the_band_until_the_middle() -> None:
    strategy = bare(BollingerBreakout, period=5, std=1.5)
    result = trips(play(strategy, BREAKOUT), "15m")
    assert result[0][:3] == (1, 6, 110.0)
    # middle: bar 7: 106; bar 8: (100 + 110 + 111 + 109 + 105) / 5 = 107 ≥ 105: out at the open of bar 9.
    assert result[0][3:] == (9, 105.0, "middle")
    mirrored: list[float | Ohlc] = [200.0 - price for price in BREAKOUT if isinstance(price, float | int)]
    assert trips(play(strategy, mirrored, instrument=PERP), "15m") == [(-1, 6, 90.0, 9, 95.0, "middle")]
    assert trips(play(strategy, mirrored), "15m") == []


def test_bollinger_needs_the_threshold_and_the_volume() -> None:
    strict = bare(BollingerBreakout, period=5, std=1.5, breakout_threshold=0.02)  # 110 < 108.07 · 1.02
    assert trips(play(strict, BREAKOUT), "15m") == []
    loud = bare(BollingerBreakout, period=5, std=1.5, use_volume_filter=True)
    quiet_bar, loud_bar = [10.0] * 11, [10.0] * 5 + [15.1] + [10.0] * 5
    assert trips(play(loud, BREAKOUT, volumes=quiet_bar), "15m") == []
    assert trips(play(loud, BREAKOUT, volumes=loud_bar), "15m")[0][:3] == (1, 6, 110.0)


# -- macd_divergence ------------------------------------------------------------------------------------------


def wild_bars(count: int, seed: int) -> list[float | Ohlc]:
    rng = random.Random(seed)
    price, out = 100.0, []
    for _ in range(count):
        before, price = price, price * (1 + rng.gauss(0, 0.01))
        high, low = (
            max(before, price) * (1 + rng.random() / 200),
            min(before, price) * (1 - rng.random() / 200),
        )
        out.append(tuple(round(x, 2) for x in (before, high, low, price)))
    return out  # type: ignore[return-value]


def columns_of(bars: list[float | Ohlc]) -> dict[str, list[float]]:
    return {name: [bar[i] for bar in bars] for i, name in enumerate(("open", "high", "low", "close"))}  # type: ignore[index]


def slow_divergence(columns: dict[str, list[float]], lookback: int, apart: int) -> list[float]:
    """Return what the definition says, from whole arrays."""
    hist = MACD(4, 9, 3).arrays(columns["close"])["hist"]
    highs, lows = columns["high"], columns["low"]
    out = [float("nan")] * len(hist)
    for i in range(9 + 3 - 2 + lookback, len(hist)):
        earlier = range(i - lookback, i - apart + 1)
        low, high = min(earlier, key=lambda j: (lows[j], j)), max(earlier, key=lambda j: (highs[j], -j))
        bullish = lows[i] < lows[low] and hist[low] < hist[i] < 0 and hist[i] > hist[i - 1]
        bearish = highs[i] > highs[high] and hist[high] > hist[i] > 0 and hist[i] < hist[i - 1]
        out[i] = float(bullish) - float(bearish)
    return out


@pytest.mark.parametrize(("lookback", "apart"), [(14, 5), (5, 5), (8, 2)])
def test_divergence_is_what_its_definition_says(lookback: int, apart: int) -> None:
    columns = columns_of(wild_bars(3000, 5))
    indicator = Divergence(MACD(4, 9, 3), lookback, apart)
    ours = []
    for row in rows(columns):
        indicator.update_bar(row)
        ours.append(indicator.value)
    expected = slow_divergence(columns, lookback, apart)
    assert [x for x in ours if x == x] == [x for x in expected if x == x]
    assert ours.index(next(x for x in ours if x == x)) == indicator.warmup - 1
    assert {-1.0, 0.0, 1.0} == {x for x in ours if x == x}


def test_macd_divergence_enters_on_divergences_and_leaves_on_the_opposite_cross() -> None:
    bars = wild_bars(1500, 5)
    result = play(bare(MacdDivergence, fast=4, slow=9, signal=3), bars, instrument=PERP)
    signals = slow_divergence(columns_of(bars), 14, 5)
    lines = MACD(4, 9, 3).arrays(columns_of(bars)["close"])
    assert len(result.round_trips) > 10
    for side, entry, _, exit_, _, reason in trips(result, "4h"):
        assert signals[int(entry) - 1] == side
        macd, signal, i = lines["macd"], lines["signal"], int(exit_) - 1
        if reason != "still open":
            assert (macd[i] - signal[i]) * side < 0 <= (macd[i - 1] - signal[i - 1]) * side


# -- grid -----------------------------------------------------------------------------------------------------


def grid(**params: Any) -> Grid:
    return Grid(
        **{
            "upper": 110,
            "lower": 90,
            "grid_count": 4,
            "order_size": 1,
            "take_profit_pct": 2,
            "max_position": 3,
            **params,
        }
    )


def test_grid_buys_each_level_on_the_way_down_and_sells_it_higher() -> None:
    # Levels 90, 95, 100, 105, 110. Below 104 lie 100, 95, 90.
    closes: list[float | Ohlc] = [104.0, 102, 99, 97, 94, 96, 98, 101, 103, 103]
    result = play(grid(), closes)
    assert [(fill.side, fill.px, (fill.ts - START) // 60_000_000_000) for fill in result.fills] == [
        (1, 100.0, 3),
        (1, 95.0, 5),
        (-1, 96.9, 7),
        (-1, 102.0, 9),
    ]
    assert all(fill.liquidity == "maker" for fill in result.fills)


def test_grid_uses_a_level_again_once_it_is_sold() -> None:
    closes: list[float | Ohlc] = [104.0, 99, 103, 99, 103, 103]
    result = play(grid(), closes)
    assert [trip[2:5:2] for trip in trips(result, "1m")] == [(100.0, 102.0), (100.0, 102.0)]


def test_grid_never_holds_more_than_the_largest_position() -> None:
    closes: list[float | Ohlc] = [104.0, (104, 104, 80, 85), 85.0]
    result = play(Grid(upper=110, lower=90, grid_count=10, order_size=1, max_position=2.5), closes)
    assert [fill.px for fill in result.fills if fill.side == 1] == [102.0, 100.0]


def test_grid_moves_its_orders_along_with_the_price() -> None:
    closes: list[float | Ohlc] = [101.0, 107, 108, 104, 104]
    result = play(grid(max_position=1), closes)
    first, second = (order for order in result.orders if order.side == 1)
    assert (first.px, first.status) == (100.0, "canceled")
    assert (second.px, second.status) == (105.0, "filled")


def test_grid_protects_what_a_partial_fill_bought() -> None:
    # A tenth of each bar's volume of 5 can be had: half the order at a time.
    closes: list[float | Ohlc] = [104.0, 99, 99.5, 101, 103, 103, 103.5, 104]
    result = play(grid(), closes, volumes=[5.0] * 8, fills=FillSettings(bar_participation=0.1))
    bought = [fill.qty for fill in result.fills if fill.side == 1]
    sold = [(fill.qty, fill.px) for fill in result.fills if fill.side == -1]
    assert bought[:2] == [0.5, 0.5]
    assert sold[:2] == [(0.5, 102.0), (0.5, 102.0)]


def test_grid_stops_out_ten_per_cent_below_each_level() -> None:
    closes: list[float | Ohlc] = [104.0, 99, 92, (92, 92, 89, 89.5), 89.5]
    result = play(grid(max_position=1), closes)
    assert trips(result, "1m")[0] == (1, 2, 100.0, 4, 90.0, "stop")


def test_grid_lowers_the_target_of_an_old_piece_by_the_roi_table() -> None:
    # The table asks for 2 % at once, less than the 5 % of a level, and for 1 % after an hour.
    closes: list[float | Ohlc] = [104.0, 99, *[100.5] * 66, 101.2, 101.2]
    result = play(grid(take_profit_pct=5, max_position=1), closes)
    assert [order.px for order in result.orders if order.type == "limit" and order.side == -1] == [101.0]
    assert trips(result, "1m")[0] == (1, 2, 100.0, 69, 101.0, "take")
    quick = play(grid(take_profit_pct=5, max_position=1), [104.0, 99, 100.5, 102.5, 102.5])
    assert trips(quick, "1m")[0] == (1, 2, 100.0, 4, 102.0, "take")


def test_grid_sells_short_above_the_price_where_that_is_possible() -> None:
    closes: list[float | Ohlc] = [96.0, 98, 101, 99, 97, 97]
    both = {"enable_short": True, "enable_long": False}
    assert trips(play(grid(**both), closes, instrument=PERP), "1m") == [(-1, 3, 100.0, 5, 98.0, "take")]
    assert trips(play(grid(**both), closes), "1m") == []


def test_grid_does_not_repeat_a_refused_order_every_bar() -> None:
    result = play(grid(order_size=10, max_position=30), [104.0, *[103.0] * 50], cash=100)
    assert len(result.orders) <= 3
