from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from lanner.core.errors import ConfigError
from lanner.marketdata.bars import resample
from lanner.marketdata.synth import Market, bar_frames, market_for, synthesize_bars, synthesize_funding

SINCE = int(datetime(2024, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000_000  # a Monday
DAY = 86_400_000_000_000


@cache
def minutes(seed: int = 7, days: int = 84) -> pl.DataFrame:
    return synthesize_bars("1m", since_ns=SINCE, days=days, seed=seed)


def returns(frame: pl.DataFrame) -> NDArray[np.float64]:
    change: NDArray[np.float64] = np.diff(np.log(frame["close"].to_numpy()))
    return change


def autocorrelation(x: NDArray[np.float64], lag: int) -> float:
    x = x - x.mean()
    return float((x[lag:] * x[:-lag]).mean() / x.var())


def content(frame: pl.DataFrame) -> str:
    digest = hashlib.sha256()
    for name in frame.columns:
        digest.update(frame[name].to_numpy().tobytes())
    return digest.hexdigest()


def test_a_seed_names_one_data_set_on_any_machine() -> None:
    assert content(synthesize_bars("1m", since_ns=SINCE, days=10, seed=7)) == GOLDEN_BARS
    assert content(synthesize_bars("1m", since_ns=SINCE, days=10, seed=8)) != GOLDEN_BARS


GOLDEN_BARS = "663061fcc691d42d2db032375497e486c3ad63f8f45af9e8ffaa9da39003fb7c"


def test_a_shorter_data_set_is_the_beginning_of_a_longer_one() -> None:
    long = synthesize_bars("5m", since_ns=SINCE, days=20)
    short = synthesize_bars("5m", since_ns=SINCE, days=9)
    assert long.head(short.height).equals(short)


@pytest.mark.parametrize("timeframe", ["3m", "1h", "12h", "1d"])
def test_coarser_bars_are_what_the_minutes_add_up_to(timeframe: str) -> None:
    made = synthesize_bars(timeframe, since_ns=SINCE, days=84)
    assert made.equals(resample(minutes(), "1m", timeframe))


@pytest.mark.parametrize(("timeframe", "rows"), [("1s", 86_400), ("30m", 48), ("3d", 0), ("1d", 1)])
def test_one_day_holds_the_bars_that_fit(timeframe: str, rows: int) -> None:
    assert sum(f.height for f in bar_frames(timeframe, since_ns=SINCE, days=1)) == rows


def test_weeks_and_months_are_whole() -> None:
    since = int(datetime(2024, 1, 10, tzinfo=UTC).timestamp()) * 1_000_000_000
    months = synthesize_bars("1M", since_ns=since, days=90)
    assert [datetime.fromtimestamp(t / 1e9, UTC).strftime("%m-%d") for t in months["ts_open"]] == [
        "02-01",
        "03-01",
    ]
    weeks = synthesize_bars("1w", since_ns=since, days=30)
    assert [datetime.fromtimestamp(t / 1e9, UTC).strftime("%a") for t in weeks["ts_open"]] == ["Mon"] * 3


def test_seconds_follow_the_minutes_of_the_same_seed() -> None:
    seconds = resample(synthesize_bars("1s", since_ns=SINCE, days=1), "1s", "1m")
    assert seconds["close"].equals(minutes()["close"].head(1440))


@pytest.mark.parametrize("timeframe", ["1s", "1m", "4h"])
def test_every_bar_is_possible(timeframe: str) -> None:
    bars = synthesize_bars(timeframe, since_ns=SINCE, days=3, market=Market(vol=2.5))
    assert bars.null_count().sum_horizontal().item() == 0
    low, high = bars["low"], bars["high"]
    for name in ("open", "close"):
        assert (low <= bars[name]).all()
        assert (bars[name] <= high).all()
    assert (bars["volume"] > 0).all()
    assert (bars["trades"] >= 1).all()
    assert bars["taker_buy_volume"].is_between(0, bars["volume"]).all()
    mean_px = bars["quote_volume"] / bars["volume"]
    assert (mean_px >= low * (1 - 1e-12)).all()
    assert (mean_px <= high * (1 + 1e-12)).all()
    assert (bars["ts_open"].diff().drop_nulls() == bars["ts_event"][0] - bars["ts_open"][0]).all()


def test_prices_and_volumes_lie_on_the_grid_as_their_shortest_text() -> None:
    market = Market(tick=Decimal("0.05"), lot=Decimal("0.0001"))
    bars = synthesize_bars("1m", since_ns=SINCE, days=2, market=market)
    for name, step in (
        ("open", "0.05"),
        ("high", "0.05"),
        ("low", "0.05"),
        ("close", "0.05"),
        ("volume", "0.0001"),
    ):
        assert all(Decimal(repr(value)) % Decimal(step) == 0 for value in bars[name].head(500))


def test_returns_have_fat_tails_at_every_timeframe() -> None:
    for timeframe, least in (("1m", 8.0), ("1h", 5.0)):
        r = returns(synthesize_bars(timeframe, since_ns=SINCE, days=364))
        kurtosis = ((r - r.mean()) ** 4).mean() / r.var() ** 2
        assert kurtosis > least


@pytest.mark.parametrize("seed", [1, 7, 11])
def test_volatility_clusters_for_minutes_and_for_days(seed: int) -> None:
    size = np.abs(returns(minutes(seed)))
    near, hour, day = (autocorrelation(size, lag) for lag in (1, 60, 1440))
    assert near > 0.15
    assert near > hour > 0.05
    assert day > 0.02


@pytest.mark.parametrize("seed", [1, 7, 11])
def test_the_direction_of_returns_cannot_be_told_from_the_past(seed: int) -> None:
    r = returns(minutes(seed))
    sign = np.sign(r)
    for lag in (1, 2, 5, 60):
        assert abs(autocorrelation(sign, lag)) < 0.015
        assert abs(autocorrelation(r, lag)) < 0.04


def test_the_us_afternoon_is_loud_and_the_weekend_quiet() -> None:
    bars = minutes()
    size = np.abs(returns(bars))
    hour = (bars["ts_open"].to_numpy()[1:] // 3_600_000_000_000) % 24
    weekday = (bars["ts_open"].to_numpy()[1:] // DAY + 3) % 7
    afternoon, night = size[(hour >= 13) & (hour < 16)].mean(), size[(hour >= 3) & (hour < 6)].mean()
    assert afternoon > 1.4 * night
    assert size[weekday < 5].mean() > 1.15 * size[weekday >= 5].mean()
    volume = bars["volume"].to_numpy()[1:]
    assert volume[(hour >= 13) & (hour < 16)].mean() > 1.5 * volume[(hour >= 3) & (hour < 6)].mean()


def test_volume_rises_with_the_size_of_the_move() -> None:
    bars = minutes()
    assert np.corrcoef(np.abs(returns(bars)), bars["volume"].to_numpy()[1:])[0, 1] > 0.3


@pytest.mark.parametrize("vol", [0.2, 0.6, 1.2])
def test_volatility_is_about_what_was_asked_for(vol: float) -> None:
    market = Market(vol=vol, regimes=False)
    r = np.concatenate(
        [returns(synthesize_bars("1h", since_ns=SINCE, days=364, seed=s, market=market)) for s in range(5)]
    )
    assert r.std() * np.sqrt(365 * 24) == pytest.approx(vol, rel=0.2)


def test_drift_moves_the_end_of_the_path() -> None:
    def end(drift: float) -> float:
        market = Market(drift=drift, regimes=False)
        return float(synthesize_bars("1d", since_ns=SINCE, days=364, market=market)["close"][-1])

    assert np.log(end(1.0) / end(0.0)) == pytest.approx(364 / 365, abs=0.01)


def test_regimes_change_the_market() -> None:
    plain = synthesize_bars("1d", since_ns=SINCE, days=60, market=Market(regimes=False))
    assert not plain["close"].equals(synthesize_bars("1d", since_ns=SINCE, days=60)["close"])


@pytest.mark.parametrize(
    ("price", "tick", "lot"),
    [(40_000.0, "0.1", "0.00001"), (2.5, "0.00001", "0.1"), (0.08, "0.0000001", "10")],
)
def test_a_market_gets_a_grid_that_fits_its_price(price: float, tick: str, lot: str) -> None:
    market = market_for(price)
    assert (market.tick, market.lot) == (Decimal(tick), Decimal(lot))


def test_funding_is_paid_thrice_a_day_mostly_at_the_interest_and_more_in_trends() -> None:
    rates = synthesize_funding(since_ns=SINCE, days=364)
    assert rates.height == 3 * 364
    assert (rates["ts_event"].diff().drop_nulls() == 8 * 3_600_000_000_000).all()
    usual = (rates["rate"] == 0.0001).mean()
    assert isinstance(usual, float)
    assert 0.5 < usual < 0.95
    assert rates["rate"].is_between(-0.002, 0.002).all()
    daily = synthesize_bars("1d", since_ns=SINCE, days=364)
    moves = np.log(daily["close"].to_numpy() / daily["open"].to_numpy())
    assert np.corrcoef(moves[:-1], rates["rate"].to_numpy()[3::3])[0, 1] > 0.3


@pytest.mark.parametrize(
    ("days", "since", "message"),
    [
        (0, SINCE, "number of days"),
        (9999, SINCE, "number of days"),
        (3, SINCE + 1, "midnight"),
        (3, -DAY, "midnight"),
    ],
)
def test_impossible_spans_are_refused(days: int, since: int, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        synthesize_bars("1h", since_ns=since, days=days)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vol": 0.0}, "volatility"),
        ({"vol": float("nan")}, "volatility"),
        ({"drift": 50.0}, "drift"),
        ({"spread_bps": -1.0}, "spread"),
        ({"start_price": 1.0}, "start price"),
    ],
)
def test_unbelievable_parameters_are_refused(change: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=f"the {message}.* is not believable"):
        Market(**change)  # type: ignore[arg-type]


def test_activity_bars_have_no_model_of_their_own() -> None:
    with pytest.raises(ConfigError, match="Make trades"):
        synthesize_bars("100tick", since_ns=SINCE, days=1)
