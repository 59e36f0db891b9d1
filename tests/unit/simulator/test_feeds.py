"""Feeds: the market the venue has by itself, invented, recorded or from the catalog."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lanner.core.errors import DataError
from lanner.core.rng import Rng
from lanner.model.enums import Side
from lanner.simulator.accounts import Account
from lanner.simulator.candles import candle_start
from lanner.simulator.config import make_config
from lanner.simulator.events import ExchangeEvent, PublicTrade
from lanner.simulator.exchange import Exchange
from lanner.simulator.feed import SyntheticFeed
from lanner.simulator.feeds import make_feed
from lanner.simulator.listing import markets_of, start_price
from lanner.simulator.orders import NewOrder
from lanner.simulator.recorded import RecordedFeed, frames

SECOND = 10**9
START = 1_700_000_000 * SECOND


def play(
    dialect: str, seed: int, *, seconds: int = 60, rate: float = 40
) -> tuple[Exchange, list[ExchangeEvent]]:
    exchange = Exchange(dialect, markets_of(dialect), now_ns=START)
    told: list[ExchangeEvent] = []
    exchange.listen(told.append)
    exchange.add_account(Account("a", balances={"USDT": "1000000", "BTC": "10"}))
    feed = SyntheticFeed(exchange, Rng(seed), rate=rate, prices=start_price)
    feed.open(START)
    for tick in range(1, seconds * 10):
        feed.run(tick * SECOND // 10, START + tick * SECOND // 10, 10_000)
        exchange.advance(START + tick * SECOND // 10)
    return exchange, told


@pytest.mark.parametrize("dialect", ["binance-spot", "binance-usdm", "hyperliquid"])
def test_every_synthetic_market_has_a_book_and_trades(dialect: str) -> None:
    exchange, told = play(dialect, 7)
    for symbol, market in exchange.markets.items():
        _, bids, asks = exchange.snapshot(symbol)
        assert len(bids) > 15
        assert len(asks) > 15
        assert bids[0][0] < asks[0][0]
        middle = float(market.px(bids[0][0]))
        assert middle == pytest.approx(start_price(market), rel=0.05)
        assert float(market.px(asks[0][0])) - middle < middle * 0.002
        assert market.next_trade_id > 5, symbol
        if not market.is_spot:
            assert market.mark_ticks > 0
            assert market.funding_rate != 0
    assert told


def test_the_same_seed_makes_the_same_market_and_another_another() -> None:
    first, second, other = (play("binance-usdm", seed, seconds=20)[1] for seed in (7, 7, 8))
    assert [repr(event) for event in first] == [repr(event) for event in second]
    assert [repr(event) for event in first] != [repr(event) for event in other]


def test_candles_are_those_of_the_tape() -> None:
    exchange, told = play("binance-spot", 3, seconds=200)
    market = exchange.markets["BTCUSDT"]
    tape = [event for event in told if isinstance(event, PublicTrade) and event.market == "BTCUSDT"]
    for interval in ("1s", "1m", "3m", "1h", "1w", "1M"):
        expected: dict[int, list[PublicTrade]] = {}
        for trade in tape:
            expected.setdefault(candle_start(trade.ts_ns, interval), []).append(trade)
        candles = market.candles.read(interval)
        assert [one.start_ns for one in candles] == list(expected)
        for one, trades in zip(candles, expected.values(), strict=True):
            px = [trade.ticks for trade in trades]
            assert (one.open, one.high, one.low, one.close) == (px[0], max(px), min(px), px[-1])
            assert one.lots == sum(trade.lots for trade in trades)
            assert one.buy_lots == sum(trade.lots for trade in trades if trade.aggressor is Side.BUY)
            assert (one.first_trade_id, one.last_trade_id) == (trades[0].trade_id, trades[-1].trade_id)
    assert market.candles.read("1m", limit=2) == market.candles.read("1m")[-2:]


def test_a_customer_trades_with_the_background_market_by_price_and_time() -> None:
    exchange, _ = play("binance-spot", 5, seconds=5)
    market = exchange.markets["BTCUSDT"]
    best = market.best_ask
    assert best is not None
    new = NewOrder(account="a", market="BTCUSDT", side=Side.BUY, lots=100, ticks=best[0])
    ack = exchange.submit(new, exchange.now_ns)
    assert sum(fill.lots for fill in ack.fills) == min(100, best[1])


@pytest.mark.parametrize(
    ("capture", "dialect", "symbol"),
    [
        ("usdm_btcusdt_20240808.gz", "binance-usdm", "BTCUSDT"),
        ("spot_btcusdt_20240808.gz", "binance-spot", "BTCUSDT"),
        ("hyperliquid_btcusd_20250126.gz", "hyperliquid", "BTC"),
    ],
)
def test_a_recorded_capture_is_the_venues_book(
    capture: str, dialect: str, symbol: str, shared_data: Path
) -> None:
    path = shared_data / "market" / "hftbacktest" / capture
    if not path.exists():
        pytest.skip(f"no {path}")
    exchange = Exchange(dialect, markets_of(dialect), now_ns=START)
    feed = RecordedFeed(exchange, path)
    feed.open(START)
    market = exchange.markets[symbol]
    twin = Levels()
    checked = agreed = done = 0
    for _, frame in frames(path):
        whole = twin.take(frame)
        while not feed.ended and feed.applied < twin.count:
            done += feed.run(1 << 62, START + done, 1)
        if whole and twin.known:
            checked += 1
            top = (market.px(market.book.best_bid()[0]), market.px(market.book.best_ask()[0]))  # type: ignore[index]
            agreed += (float(top[0]), float(top[1])) == twin.best()
        if checked >= 1_500:
            break
    assert checked >= 20
    # trades come before the deltas that tell of them, so for moments the venue is ahead of its capture
    assert agreed / checked > 0.99


class Levels:
    """The book of a capture by dictionaries of text, told by its frames alone."""

    def __init__(self) -> None:
        self.bids: dict[float, float] = {}
        self.asks: dict[float, float] = {}
        self.known = False
        self.count = 0
        self._early: list[dict[str, Any]] = []
        self._id = 0

    def take(self, frame: dict[str, Any]) -> bool:
        """Apply a frame; tells whether it was about the book."""
        self.count += 1
        data = frame.get("data", frame)
        if frame.get("channel") == "l2Book":
            self.bids, self.asks = (
                {float(row["px"]): float(row["sz"]) for row in side} for side in data["levels"]
            )
            self.known = True
            return True
        if isinstance(data, dict) and "lastUpdateId" in data:
            self.bids, self.asks = (
                {float(px): float(qty) for px, qty in data[side]} for side in ("bids", "asks")
            )
            self.known, self._id = True, data["lastUpdateId"]
            for early in self._early:
                self._apply(early)
            return True
        if isinstance(data, dict) and data.get("e") == "depthUpdate":
            if self.known:
                self._apply(data)
            else:
                self._early.append(data)
            return self.known
        return False

    def _apply(self, data: dict[str, Any]) -> None:
        if data["u"] <= self._id:
            return
        for held, rows in ((self.bids, data["b"]), (self.asks, data["a"])):
            for px, qty in rows:
                if float(qty):
                    held[float(px)] = float(qty)
                else:
                    held.pop(float(px), None)

    def best(self) -> tuple[float, float]:
        return max(self.bids), min(self.asks)


def test_a_capture_with_a_broken_line_names_it(tmp_path: Path) -> None:
    path = tmp_path / "capture.txt"
    path.write_text('1 {"stream":"x@trade","data":{}}\nnonsense\n')
    with pytest.raises(DataError, match="line 2"):
        list(frames(path))


def test_the_market_follows_the_prices_of_the_catalog(tmp_path: Path) -> None:
    from lanner.cli.commands.data_synth import make_plan, write_synthetic
    from lanner.storage.catalog import Catalog

    catalog = Catalog(tmp_path)
    plan = make_plan(catalog, "BTC-USDT.SYNTH", since="2024-01-01", days=1, seed=5, start_price=123.0)
    write_synthetic(catalog, plan, "bars", "1m")
    config = make_config({"feed": "catalog:BTC-USDT.SYNTH@1m", "catalog": str(tmp_path), "rate": 1})
    exchange = Exchange("binance-spot", markets_of("binance-spot"), now_ns=START)
    feed = make_feed(config, "binance-spot", exchange)
    assert feed is not None
    feed.open(START)
    closes = [
        close for chunk in catalog.scan("bars", "BTC-USDT.SYNTH", "1m") for close in chunk["close"].to_list()
    ]
    feed.run(600 * SECOND, START + 600 * SECOND, 1_000_000)
    market = exchange.markets["BTCUSDT"]
    best = market.best_bid
    assert best is not None
    assert float(market.px(best[0])) == pytest.approx(closes[10], rel=0.003)
    assert exchange.markets["ETHUSDT"].best_bid is None
    feed.run(3 * 86_400 * SECOND, START + 700 * SECOND, 20_000_000)
    assert feed.ended
