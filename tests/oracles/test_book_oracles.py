"""Books and bars rebuilt from recorded frames, against checkpoints made by an independent program."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lanner.marketdata.bars import TimeBarBuilder, TradeColumns, bars_from_trades
from lanner.marketdata.book import L2Book
from lanner.marketdata.book_sync import Apply, Gap, book_sync
from lanner.model.enums import Side
from lanner.model.instruments import Instrument
from lanner.model.market import Bar, BookUpdate, Trade

SHARED = Path(os.environ.get("LANNER_SHARED_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))

pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason=f"no recorded market data at {SHARED}")

CAPTURES = {
    "usdm_btcusdt_20240808": ("binance_usdm", "0.01", "0.001"),
    "spot_btcusdt_20240808": ("binance_spot", "0.01", "0.00001"),
    "cm_btcusd_perp_20240808": ("binance_coinm", "0.1", "1"),
}
ID = "BTC-USD.TEST"


@cache
def oracle(name: str) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads((SHARED / "oracles" / "book" / f"{name}.json").read_text())
    return parsed


def frames(name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    with gzip.open(SHARED / "market" / "hftbacktest" / f"{name}.gz", "rt") as lines:
        for line in lines:
            stamp, _, text = line.partition(" ")
            yield int(stamp), json.loads(text)


def levels(side: list[list[str]]) -> tuple[tuple[float, float], ...]:
    return tuple((float(px), float(qty)) for px, qty in side)


def book_update(local_ns: int, frame: dict[str, Any]) -> BookUpdate | None:
    if "lastUpdateId" in frame:
        bids, asks = levels(frame["bids"]), levels(frame["asks"])
        return BookUpdate(ID, local_ns, local_ns, bids, asks, snapshot=True, seq=frame["lastUpdateId"])
    data = frame.get("data", {})
    if data.get("e") != "depthUpdate":
        return None
    return BookUpdate(
        ID, data["E"] * 1_000_000, local_ns, levels(data["b"]), levels(data["a"]),
        first_seq=data["U"], seq=data["u"], prev_seq=data.get("pu", 0),
    )  # fmt: skip


@pytest.mark.parametrize("name", sorted(CAPTURES))
def test_the_book_rebuilt_from_frames_equals_every_checkpoint(name: str) -> None:
    rule, tick, lot = CAPTURES[name]
    instrument = Instrument.spot(ID, tick=tick, lot=lot)
    book, sync = L2Book(instrument, qty_step=Decimal("0.00000001")), book_sync(rule)
    checkpoints = {point["u"]: point for point in oracle(name)["checkpoints"]}
    tickers: dict[int, tuple[float, ...]] = {}
    tops: dict[int, tuple[float, ...]] = {}
    for local_ns, frame in frames(name):
        data = frame.get("data", {})
        if "B" in data:
            tickers[data["u"]] = tuple(float(data[key]) for key in "bBaA")
        update = book_update(local_ns, frame)
        for effect in sync.push(update) if update is not None else ():
            assert not isinstance(effect, Gap)
            if isinstance(effect, Apply):
                book.apply(effect.update)
                assert not book.crossed
                tops[book.seq] = (book.best_bid, book.bid_qty, book.best_ask, book.ask_qty)
                point = checkpoints.pop(book.seq, None)
                if point is not None:
                    compare(book, instrument, point)
    assert not checkpoints
    both = tickers.keys() & tops.keys()
    assert len(both) >= oracle(name)["stats"]["bbo_match"]
    assert [tops[u] for u in both] == [tickers[u] for u in both]


def compare(book: L2Book, instrument: Instrument, point: dict[str, Any]) -> None:
    for side, name in ((Side.BUY, "bid"), (Side.SELL, "ask")):
        ladder = book.ticks(side)
        assert len(ladder) == point[f"n_{name}s"]
        assert sum(steps for _, steps in ladder) * Decimal("1e-8") == Decimal(point[f"sum_{name}_qty"])
        top = [(instrument.px(ticks), steps * Decimal("1e-8")) for ticks, steps in ladder[:10]]
        assert top == [(Decimal(px), Decimal(qty)) for px, qty in point[f"{name}s"]]


@cache
def trades(name: str) -> list[Trade]:
    found = []
    for local_ns, frame in frames(name):
        data = frame.get("data", {})
        if data.get("e") == "trade" and float(data["p"]) > 0:
            aggressor = -1 if data["m"] else 1
            found.append(
                Trade(ID, data["T"] * 1_000_000, local_ns, float(data["p"]), float(data["q"]), aggressor)
            )
    return found


def same_as_oracle(bar: Bar, expected: dict[str, Any], instrument: Instrument) -> None:
    assert bar.ts_open == expected["minute_ms"] * 1_000_000
    for field in ("open", "high", "low", "close"):
        assert Decimal(repr(getattr(bar, field))) == Decimal(expected[field])
    assert bar.trades == expected["trades"]
    assert exactly(bar.volume, instrument.qty_decimals) == Decimal(expected["volume"])
    assert exactly(bar.taker_buy_volume, instrument.qty_decimals) == Decimal(expected["taker_buy"])
    assert exactly(bar.quote_volume, instrument.qty_decimals + instrument.px_decimals) == Decimal(
        expected["quote"]
    )


def exactly(value: float | None, decimals: int) -> Decimal:
    assert value is not None
    return Decimal(value).quantize(Decimal(1).scaleb(-decimals))


@pytest.mark.parametrize("name", sorted(CAPTURES))
def test_minute_bars_from_raw_trades_equal_the_oracle(name: str) -> None:
    _, tick, lot = CAPTURES[name]
    instrument = Instrument.spot(ID, tick=tick, lot=lot)
    builder = TimeBarBuilder(f"{ID}@1m")
    bars = [bar for trade in trades(name) for bar in builder.push(trade)]
    bars += builder.flush()
    for bar, expected in zip(bars, oracle(name)["trade_bars_1m"], strict=True):
        same_as_oracle(bar, expected, instrument)
    assert builder.late == 0


@pytest.mark.parametrize("name", sorted(CAPTURES))
def test_the_array_form_makes_the_same_minute_bars(name: str) -> None:
    prints = trades(name)
    columns = TradeColumns(
        np.array([t.ts_event for t in prints]),
        np.array([t.ts_recv for t in prints]),
        np.array([t.px for t in prints]),
        np.array([t.qty for t in prints]),
        np.array([t.aggressor for t in prints], dtype=np.int8),
    )
    builder = TimeBarBuilder(f"{ID}@1m")
    streamed = [bar for trade in prints for bar in builder.push(trade)]
    rows = bars_from_trades(columns, "1m").to_frame().rows(named=True)
    assert [Bar(series=f"{ID}@1m", **row) for row in rows] == streamed


def test_bybit_and_hyperliquid_captures_run_without_a_gap() -> None:
    bybit, kept = book_sync("bybit"), 0
    with gzip.open(SHARED / "market" / "bybit_v5_capture" / "shared.jsonl.gz", "rt") as lines:
        for line in lines:
            record = json.loads(line)
            frame = record["frame"]
            if record["market"] != "linear" or frame.get("topic") != "orderbook.200.BTCUSDT":
                continue
            whole, number = frame["type"] == "snapshot", frame["data"]["u"]
            update = BookUpdate(ID, 0, 0, (), (), snapshot=whole, first_seq=number, seq=number)
            (effect,) = bybit.push(update)
            kept += isinstance(effect, Apply)
    assert kept == 414
    hyperliquid, book = book_sync("hyperliquid"), L2Book(Instrument.spot(ID, tick="0.1", lot="0.00001"))
    for local_ns, frame in frames("hyperliquid_btcusd_20250126"):
        if frame["channel"] != "l2Book":
            continue
        bids, asks = (tuple((float(x["px"]), float(x["sz"])) for x in s) for s in frame["data"]["levels"])
        update = BookUpdate(ID, frame["data"]["time"] * 1_000_000, local_ns, bids, asks, snapshot=True)
        for effect in hyperliquid.push(update):
            assert isinstance(effect, Apply)
            book.apply(effect.update)
            assert (book.level_count(Side.BUY), book.level_count(Side.SELL), book.crossed) == (20, 20, False)
