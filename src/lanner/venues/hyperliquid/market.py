"""Market data of the stream: books, best prices, prints, candles, asset contexts.

The first message of ``trades`` repeats the latest prints of the time before; a print's id is its time and ``tid``, so
that it can be told from news. Candles are told again and again while they are open: a bar leaves when the next begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from lanner.model.market import Bar, BookUpdate, FundingRate, MarkPrice, Quote, Trade
from lanner.model.timeframes import TIMEFRAMES_NS, series_id
from lanner.venues.codec import Inbound
from lanner.venues.hyperliquid import spec, wire
from lanner.venues.hyperliquid.symbols import Symbols

MS = 1_000_000
NAN = float("nan")


def frame_reader(kind: Any) -> msgspec.json.Decoder[Any]:
    """Return a decoder of a whole frame whose data are of a kind."""
    return wire.reader(msgspec.defstruct("Frame", [("data", kind)], gc=False))


class MarketDecoder:
    """Turn frames of public channels into market data.

    ``mids`` keeps the latest middle price of each instrument: what a market order's limit is measured from.
    """

    def __init__(self, symbols: Symbols) -> None:
        self._symbols = symbols
        self._ids: dict[str, str] = {}
        self._open_bars: dict[tuple[str, str], wire.Candle] = {}
        self._bbo = frame_reader(wire.Bbo).decode
        self._book = frame_reader(wire.Book).decode
        self._prints = frame_reader(list[wire.Print]).decode
        self._candles = frame_reader(wire.Candle | list[wire.Candle]).decode
        self._context = frame_reader(wire.AssetContext).decode
        self._mids = frame_reader(wire.Mids).decode
        self.mids: dict[str, float] = {}
        self.channels = {
            b"bbo": self.bbo,
            b"l2Book": self.book,
            b"trades": self.trades,
            b"candle": self.candle,
            b"activeAssetCtx": self.context,
            b"activeSpotAssetCtx": self.context,
            b"allMids": self.all_mids,
        }

    def renamed(self) -> None:
        """Forget cached names: instruments were learned."""
        self._ids.clear()

    def id_of(self, coin: str) -> str:
        """Return our id for a coin, cached."""
        name = self._ids.get(coin)
        if name is None:
            name = self._ids[coin] = self._symbols.id_of(coin)
        return name

    def bbo(self, frame: bytes, ts_recv: int) -> Sequence[Inbound]:
        """Read best bid and ask; the block's time is the quote's number."""
        data = self._bbo(frame).data
        name = self._ids.get(data.coin) or self.id_of(data.coin)
        bid, ask = data.bbo
        time = data.time
        if bid is not None and ask is not None:
            self.mids[name] = (bid.px + ask.px) * 0.5
            return (Quote(name, time * MS, ts_recv, bid.px, bid.sz, ask.px, ask.sz, time),)
        bid_px, bid_qty = (NAN, 0.0) if bid is None else (bid.px, bid.sz)
        ask_px, ask_qty = (NAN, 0.0) if ask is None else (ask.px, ask.sz)
        return (Quote(name, time * MS, ts_recv, bid_px, bid_qty, ask_px, ask_qty, time),)

    def book(self, frame: bytes, ts_recv: int) -> Sequence[Inbound]:
        """Read a whole book."""
        update = self.book_update(self._book(frame).data, ts_recv)
        bids, asks = update.bids, update.asks
        if bids and asks:
            self.mids[update.instrument_id] = (bids[0][0] + asks[0][0]) * 0.5
        return (update,)

    def book_update(self, data: wire.Book, ts_recv: int) -> BookUpdate:
        """Make a book message of a raw book."""
        bids, asks = data.levels
        time = data.time
        return BookUpdate(
            self._ids.get(data.coin) or self.id_of(data.coin),
            time * MS,
            ts_recv,
            tuple([(level.px, level.sz) for level in bids]),
            tuple([(level.px, level.sz) for level in asks]),
            True,
            time,
            time,
        )

    def trades(self, frame: bytes, ts_recv: int) -> Sequence[Inbound]:
        """Read public prints."""
        return [self.trade(row, ts_recv) for row in self._prints(frame).data]

    def trade(self, row: wire.Print, ts_recv: int) -> Trade:
        """Make a trade of a raw print; ``B`` means that the buyer took."""
        return Trade(
            self._ids.get(row.coin) or self.id_of(row.coin),
            row.time * MS,
            ts_recv,
            row.px,
            row.sz,
            1 if row.side == "B" else -1,
            f"{row.time}-{row.hash if row.tid is None else row.tid}",
        )

    def candle(self, frame: bytes, ts_recv: int) -> Sequence[Inbound]:
        """Keep the open candle; tell the one before once the next has begun."""
        data = self._candles(frame).data
        bars = []
        for row in data if isinstance(data, list) else (data,):
            name = (row.s, row.i)
            before = self._open_bars.get(name)
            if before is not None and row.t < before.t:
                continue
            self._open_bars[name] = row
            if before is not None and row.t > before.t:
                bars.append(self.bar(before, ts_recv))
        return bars

    def bar(self, row: wire.Candle, ts_recv: int) -> Bar:
        """Make a bar of a raw candle; it closes one millisecond after its last one."""
        consistent = row.l <= min(row.o, row.c) and max(row.o, row.c) <= row.h and row.t < row.T
        if not consistent or row.i not in TIMEFRAMES_NS:
            raise wire.malformed(ValueError(f"the candle {row.s} {row.i} at {row.t} contradicts itself"))
        return Bar(
            series_id(self.id_of(row.s), row.i),
            (row.T + 1) * MS,
            ts_recv,
            row.t * MS,
            row.o,
            row.h,
            row.l,
            row.c,
            row.v,
            None,
            row.n,
        )

    def context(self, frame: bytes, ts_recv: int) -> Sequence[Inbound]:
        """Read mark and index price and the funding rate to come; the message tells no time, so ours stands in."""
        data = self._context(frame).data
        name, context = self.id_of(data.coin), data.ctx
        if context.midPx is not None:
            self.mids[name] = context.midPx
        out: list[Inbound] = []
        if context.markPx is not None:
            index = NAN if context.oraclePx is None else context.oraclePx
            out.append(MarkPrice(name, ts_recv, ts_recv, context.markPx, index))
        if context.funding is not None:
            out.append(FundingRate(name, ts_recv, ts_recv, context.funding, spec.HOUR_NS, predicted=True))
        return out

    def all_mids(self, frame: bytes, _ts_recv: int) -> Sequence[Inbound]:
        """Remember all middle prices; nothing is told."""
        mids, of_coin = self.mids, self._symbols.of_coin
        for coin, px in self._mids(frame).data.mids.items():
            instrument = of_coin(coin)
            if instrument is not None:
                mids[instrument.id] = px
        return ()
