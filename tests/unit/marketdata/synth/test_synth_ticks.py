from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache

import numpy as np
import polars as pl
import pytest

from lanner.core.errors import ConfigError
from lanner.marketdata.bars import bars_from_trades
from lanner.marketdata.book import L2Book
from lanner.marketdata.rows import messages
from lanner.marketdata.synth import (
    BookMaker,
    Day,
    Market,
    SynthPlan,
    market_for,
    quotes_frame,
    synth_instrument,
    synthesize_bars,
    tick_days,
    trade_columns,
    trades_frame,
)
from lanner.model.market import BookUpdate
from lanner.storage.schema import conform

SINCE = int(datetime(2024, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000_000
DAY = 86_400_000_000_000
MARKET = Market(trades_per_day=20_000)


@cache
def days(seed: int = 7) -> tuple[Day, ...]:
    return tuple(tick_days(MARKET, since_ns=SINCE, days=2, seed=seed))


@cache
def quotes() -> pl.DataFrame:
    return pl.concat([quotes_frame(day.quotes, MARKET) for day in days()])


@cache
def trades() -> pl.DataFrame:
    return pl.concat([trades_frame(day.trades, MARKET) for day in days()])


@cache
def book() -> pl.DataFrame:
    maker = BookMaker(MARKET, 7)
    return pl.concat([maker.frame(day) for day in days()])


def content(frame: pl.DataFrame) -> str:
    digest = hashlib.sha256()
    for name in frame.columns:
        column = frame[name]
        data = "\n".join(column).encode() if column.dtype == pl.String else column.to_numpy().tobytes()
        digest.update(data)
    return digest.hexdigest()


def test_a_seed_names_one_data_set_on_any_machine() -> None:
    assert (content(trades()), content(quotes()), content(book())) == GOLDEN
    assert content(trades_frame(days(8)[0].trades, MARKET)) != content(trades_frame(days()[0].trades, MARKET))


GOLDEN = (
    "837c5efbf2194da7bf4d1ff96bcb19cbbe83cbccf1fbe1a5e412015de0f33776",
    "825d0ee2160f8d7da803f83688a1fcc83e428d58e1ec07ba3af94910b7524c36",
    "80ed08817073502834f615a2d9a3302131d4dad3d924d7ec2d8df7805cc984df",
)


def test_frames_have_the_catalogs_columns() -> None:
    for kind, frame in (("trades", trades()), ("quotes", quotes()), ("book", book())):
        assert conform(frame, kind).equals(frame)


def test_every_stream_is_in_order_and_received_after_it_happened() -> None:
    for frame in (trades(), quotes(), book()):
        for name in ("ts_event", "ts_recv"):
            assert frame[name].is_sorted()
        assert (frame["ts_recv"] > frame["ts_event"]).all()
        assert frame["ts_event"].is_between(SINCE, SINCE + 2 * DAY, closed="left").all()


def test_the_spread_is_positive_and_widens_with_volatility() -> None:
    frame = quotes()
    spread = (frame["ask_px"] - frame["bid_px"]).to_numpy()
    assert spread.min() > 0.0
    wild = quotes_frame(
        next(tick_days(Market(trades_per_day=5_000), since_ns=SINCE, days=1, seed=3)).quotes, MARKET
    )
    minute = (wild["ts_event"].to_numpy() - SINCE) // 60_000_000_000
    heat = np.abs(np.diff(np.log(synthesize_bars("1m", since_ns=SINCE, days=1, seed=3)["close"].to_numpy())))
    wide = (wild["ask_px"] - wild["bid_px"]).to_numpy()
    hourly = [(wide[minute // 60 == h].mean(), heat[h * 60 : h * 60 + 59].mean()) for h in range(24)]
    assert np.corrcoef(np.array(hourly).T)[0, 1] > 0.2
    assert spread.mean() / frame["bid_px"].mean() == pytest.approx(1e-4, rel=0.4)


def test_every_trade_prints_at_the_standing_quote_and_for_no_more_than_it_shows() -> None:
    joined = trades().join_asof(quotes().drop("ts_recv"), on="ts_event", strategy="backward")
    bought = joined.filter(pl.col("aggressor") == 1)
    sold = joined.filter(pl.col("aggressor") == -1)
    assert bought.height > 1000
    assert sold.height > 1000
    assert bought.height + sold.height == trades().height
    assert (bought["px"] == bought["ask_px"]).all()
    assert (sold["px"] == sold["bid_px"]).all()
    assert (bought["qty"] <= bought["ask_qty"]).all()
    assert (sold["qty"] <= sold["bid_qty"]).all()
    assert (joined["qty"] > 0).all()


def test_trade_ids_and_quote_numbers_run_on_across_days() -> None:
    assert trades()["trade_id"].cast(pl.Int64).to_list() == list(range(1, trades().height + 1))
    assert quotes()["seq"].to_list() == list(range(1, quotes().height + 1))


def test_trades_come_in_clusters_and_takers_keep_their_direction() -> None:
    gaps = np.diff(trades()["ts_event"].to_numpy()) / 1e9
    assert gaps.std() > 1.5 * gaps.mean()
    side = trades()["aggressor"].to_numpy().astype(float)
    assert (side[1:] * side[:-1]).mean() > 0.3


def test_trade_sizes_follow_a_power_law() -> None:
    sizes = np.sort(trades()["qty"].to_numpy())[::-1]
    tail = sizes[: len(sizes) // 20]
    exponent = 1.0 / np.log(tail / tail[-1]).mean()
    assert 1.2 < exponent < 2.8
    assert sizes[0] > 20 * np.median(sizes)


def test_the_number_of_trades_and_their_value_are_about_what_was_asked_for() -> None:
    assert trades().height / 2 == pytest.approx(20_000, rel=0.35)
    value = (trades()["px"] * trades()["qty"]).sum()
    assert value / 2 == pytest.approx(MARKET.turnover, rel=0.5)


def test_trades_follow_the_price_of_the_bars_of_the_same_seed() -> None:
    made = synthesize_bars("1h", since_ns=SINCE, days=2)["close"].to_numpy()
    built = np.concatenate(
        [bars_from_trades(trade_columns(day.trades, MARKET), "1h", partial=True).close for day in days()]
    )
    assert np.abs(built / made - 1.0).max() < 0.005


def test_the_book_is_never_crossed_and_its_top_is_the_quote_of_the_same_number() -> None:
    market_book = L2Book(synth_instrument("BTC-USDT.SYNTH", MARKET))
    tops = {
        seq: (bid, bid_qty, ask, ask_qty)
        for seq, bid, bid_qty, ask, ask_qty in quotes()
        .select("seq", "bid_px", "bid_qty", "ask_px", "ask_qty")
        .rows()
    }
    for update in messages("book", "BTC-USDT.SYNTH", book()):
        assert isinstance(update, BookUpdate)
        market_book.apply(update)
        assert not market_book.crossed
        assert not market_book.locked
        top = (market_book.best_bid, market_book.bid_qty, market_book.best_ask, market_book.ask_qty)
        assert top == tops[update.seq]
    assert 20 <= market_book.level_count(1) <= 60  # type: ignore[arg-type]


def test_book_numbers_are_unbroken_and_each_day_begins_with_a_snapshot() -> None:
    heads = book().filter(pl.col("last"))
    assert (heads["first_seq"].to_numpy()[1:] == heads["seq"].to_numpy()[:-1] + 1).all()
    assert heads["first_seq"][0] == 1
    shots = heads.filter(pl.col("snapshot"))
    assert shots["ts_event"].to_list() == [SINCE, SINCE + DAY]
    for (_, _), event in book().filter(pl.col("snapshot")).group_by("seq", "side"):
        assert event["px"].n_unique() == event.height


def test_depth_falls_off_behind_the_best_prices() -> None:
    market_book = L2Book(synth_instrument("BTC-USDT.SYNTH", MARKET))
    near, far = [], []
    for number, update in enumerate(messages("book", "BTC-USDT.SYNTH", book())):
        assert isinstance(update, BookUpdate)
        market_book.apply(update)
        if number % 500 == 0:
            sizes = [qty for _, qty in market_book.depth(1)]  # type: ignore[arg-type]
            near.append(sum(sizes[1:6]))
            far.append(sum(sizes[15:20]))
    assert np.mean(near) > 1.5 * np.mean(far)


def test_a_cheap_coin_whose_price_is_near_the_ground_keeps_a_legal_book() -> None:
    market = replace(market_for(0.002, vol=5.0, spread_bps=400.0), trades_per_day=3_000.0)
    maker = BookMaker(market, 1)
    for day in tick_days(market, since_ns=SINCE, days=1, seed=1):
        frame = maker.frame(day)
        assert (frame["px"] > 0).all()
        assert (quotes_frame(day.quotes, market)["bid_px"] > 0).all()


def test_activity_bars_run_across_midnight_and_lose_no_trade() -> None:
    plan = SynthPlan(synth_instrument("BTC-USDT.SYNTH", MARKET), MARKET, SINCE, 2, 7)
    bars = pl.concat(list(plan.frames("bars", "1000tick")))
    assert (bars["trades"] == 1000).all()
    assert bars.height == trades().height // 1000
    assert bars["close"].to_list() == trades()["px"].to_list()[999::1000]


@pytest.mark.parametrize("timeframe", ["1m", "1d", "3d"])
def test_bars_can_be_made_from_the_markets_own_trades(timeframe: str) -> None:
    plan = SynthPlan(synth_instrument("BTC-USDT.SYNTH", MARKET), MARKET, SINCE, 2, 7)
    bars = pl.concat(list(plan.frames("bars", timeframe, from_trades=True)))
    if timeframe == "3d":
        assert bars.height == 0
    else:
        assert bars["trades"].sum() == trades().height


def test_spot_pays_no_funding_and_unknown_kinds_are_named() -> None:
    plan = SynthPlan(synth_instrument("BTC-USDT.SYNTH", MARKET), MARKET, SINCE, 2, 7)
    assert plan.kinds("all") == ["bars", "trades", "quotes", "book"]
    with pytest.raises(ConfigError, match="pays no funding"):
        plan.kinds("funding")
    with pytest.raises(ConfigError, match="unknown kind of synthetic data"):
        plan.kinds("candles")
    perp = SynthPlan(synth_instrument("BTC-PERP.SYNTH", MARKET), MARKET, SINCE, 2, 7)
    assert perp.kinds("all")[-1] == "funding"
