"""Recorded Binance frames through the codec: the rebuilt book equals the venue's own best prices and an oracle's."""

from __future__ import annotations

import gzip
import json
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from lanner.marketdata.book import L2Book
from lanner.marketdata.book_sync import Apply, BinanceSync, Gap, NeedSnapshot, book_sync
from lanner.model.enums import Side
from lanner.model.instruments import Instrument
from lanner.model.market import BookUpdate, Quote, Trade
from lanner.venues.binance.spec import BINANCE_SPOT, BINANCE_USDM
from lanner.venues.binance.spot import BinanceSpotCodec
from lanner.venues.binance.usdm import BinanceUsdmCodec

SHARED = Path(os.environ.get("LANNER_SHARED_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
STEP = Decimal("0.00000001")

pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason=f"no recorded market data at {SHARED}")


def spot_codec() -> BinanceSpotCodec:
    codec = BinanceSpotCodec(BINANCE_SPOT.mainnet)
    codec.use([Instrument.spot("BTC-USDT.BINANCE", tick="0.01", lot="0.00001", symbol="BTCUSDT")])
    return codec


def usdm_codec() -> BinanceUsdmCodec:
    # the recording holds some prices between two ticks of the contract's later grid
    codec = BinanceUsdmCodec(BINANCE_USDM.mainnet)
    codec.use([Instrument.perp("BTCUSDT-PERP.BINANCE", tick="0.01", lot="0.001", symbol="BTCUSDT")])
    return codec


CAPTURES: dict[str, tuple[Callable[[], BinanceSpotCodec | BinanceUsdmCodec], str]] = {
    "spot_btcusdt_20240808": (spot_codec, "BTC-USDT.BINANCE"),
    "usdm_btcusdt_20240808": (usdm_codec, "BTCUSDT-PERP.BINANCE"),
}


def lines(name: str) -> Iterator[tuple[int, bytes]]:
    with gzip.open(SHARED / "market" / "hftbacktest" / f"{name}.gz", "rb") as content:
        for line in content:
            stamp, _, frame = line.rstrip().partition(b" ")
            yield int(stamp), frame


def same_as(book: L2Book, instrument: Instrument, point: dict[str, Any]) -> None:
    for side, name in ((Side.BUY, "bid"), (Side.SELL, "ask")):
        ladder = book.ticks(side)
        assert len(ladder) == point[f"n_{name}s"]
        assert sum(steps for _, steps in ladder) * STEP == Decimal(point[f"sum_{name}_qty"])
        top = [(instrument.px(ticks), steps * STEP) for ticks, steps in ladder[:10]]
        assert top == [(Decimal(px), Decimal(qty)) for px, qty in point[f"{name}s"]]


@pytest.mark.parametrize("name", sorted(CAPTURES))
def test_the_book_decoded_and_joined_equals_every_checkpoint_and_the_venues_own_best_prices(
    name: str,
) -> None:
    make, instrument_id = CAPTURES[name]
    codec = make()
    instrument = codec.instrument(instrument_id)
    call = codec.book_snapshot(instrument_id)
    assert call is not None
    book, sync = L2Book(instrument, qty_step=STEP), book_sync(codec.spec.book_rule)
    oracle = json.loads((SHARED / "oracles" / "book" / f"{name}.json").read_text())
    checkpoints = {point["u"]: point for point in oracle["checkpoints"]}
    quotes: dict[int, tuple[float, ...]] = {}
    tops: dict[int, tuple[float, ...]] = {}
    kinds: Counter[str] = Counter()
    for ts_recv, frame in lines(name):
        told = (
            [call.parse(frame, ts_recv)]
            if frame.startswith(b'{"lastUpdateId"')
            else codec.decode(frame, ts_recv)
        )
        for message in told:
            kinds[type(message).__name__] += 1
            if isinstance(message, Quote):
                quotes[message.seq] = (message.bid_px, message.bid_qty, message.ask_px, message.ask_qty)
            for effect in sync.push(message) if isinstance(message, BookUpdate) else ():
                assert not isinstance(effect, Gap)
                if isinstance(effect, Apply):
                    book.apply(effect.update)
                    assert not book.crossed
                    tops[book.seq] = (book.best_bid, book.bid_qty, book.best_ask, book.ask_qty)
                    if (point := checkpoints.pop(book.seq, None)) is not None:
                        same_as(book, instrument, point)
    assert not checkpoints
    both = quotes.keys() & tops.keys()
    assert len(both) >= oracle["stats"]["bbo_match"] > 0
    assert [tops[seq] for seq in both] == [quotes[seq] for seq in both]
    assert kinds["Trade"] > 1_000
    assert kinds["Quote"] > 10_000


@pytest.mark.parametrize("name", sorted(CAPTURES))
def test_trades_of_the_recording_are_told_with_their_own_numbers(name: str) -> None:
    make, _ = CAPTURES[name]
    codec = make()
    for ts_recv, frame in lines(name):
        data = json.loads(frame).get("data", {})
        if data.get("e") != "trade":
            continue
        told = codec.decode(frame, ts_recv)
        if not float(data["p"]):
            assert told == ()
            continue
        (trade,) = told
        assert isinstance(trade, Trade)
        assert (trade.trade_id, trade.px, trade.qty) == (str(data["t"]), float(data["p"]), float(data["q"]))
        assert trade.aggressor == (-1 if data["m"] else 1)
        assert trade.ts_event == data["T"] * 1_000_000
        assert trade.ts_recv == ts_recv


def test_an_older_recording_of_four_pairs_joins_without_a_gap() -> None:
    folder = SHARED / "market" / "cryptofeed"
    codec = BinanceSpotCodec(BINANCE_SPOT.mainnet)
    with gzip.open(folder / "BINANCE.0.gz", "rt") as content:
        info = content.readline().partition(": ")[2]
    codec.use(codec.instruments_call().parse(info.encode(), 0))
    syncs: dict[str, BinanceSync] = defaultdict(lambda: BinanceSync(futures=False))
    books: dict[str, L2Book] = {}
    tops: dict[tuple[str, int], tuple[float, ...]] = {}
    quotes: dict[tuple[str, int], tuple[float, ...]] = {}
    updates: list[BookUpdate] = []
    with gzip.open(folder / "BINANCE.ws.1.0.gz", "rt") as content:
        for line in content:
            stamp, _, frame = line.rstrip().partition(": ")
            if not stamp.replace(".", "").isdigit():
                continue
            for message in codec.decode(frame.encode(), 0):
                if isinstance(message, BookUpdate):
                    updates.append(message)
                elif isinstance(message, Quote):
                    quotes[message.instrument_id, message.seq] = (
                        message.bid_px,
                        message.bid_qty,
                        message.ask_px,
                        message.ask_qty,
                    )
    with gzip.open(folder / "BINANCE.http.0.0.gz", "rt") as content:
        for line in content:
            head, _, body = line.rstrip().partition(": ")
            if "/depth?symbol=" in head:
                symbol = head.partition("symbol=")[2].partition("&")[0]
                name = codec.symbols.by_symbol[symbol].id
                call = codec.book_snapshot(name)
                assert call is not None
                updates.append(call.parse(body.encode(), 0))
    applied = 0
    for update in updates:  # the snapshots come last: the changes before them wait
        name = update.instrument_id
        if name not in books:  # old orders lie between the ticks of today's grid
            fine = replace(codec.instrument(name), tick=Decimal("0.00000001"))
            books[name] = L2Book(fine, qty_step=STEP)
        book = books[name]
        for effect in syncs[name].push(update):
            assert not isinstance(effect, Gap)
            if isinstance(effect, NeedSnapshot):
                continue
            if isinstance(effect, Apply):
                book.apply(effect.update)
                applied += 1
                tops[name, book.seq] = (book.best_bid, book.bid_qty, book.best_ask, book.ask_qty)
    assert len(books) == 4
    assert all(sync.synchronised for sync in syncs.values())
    assert applied > 50
    both = quotes.keys() & tops.keys()
    assert both
    assert [tops[key] for key in both] == [quotes[key] for key in both]
