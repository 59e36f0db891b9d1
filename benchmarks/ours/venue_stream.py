"""Market data of the firehose through our gateway: into the cache (`ingest`), to a strategy (`latency`).

`frames` leaves the socket out: prepared frames through decoding, joining and the cache.
"""

from __future__ import annotations

import asyncio
import time
from argparse import Namespace
from functools import partial
from importlib.metadata import version

import lanner as ln
from benchmarks.payloads import SYMBOLS, messages
from benchmarks.streaming import Meter, arguments
from lanner.engine.cache import Cache
from lanner.engine.engine import Engine
from lanner.live.connect import Where, connect, load_instruments
from lanner.model.instruments import Instrument
from lanner.model.market import MarketData, Quote
from lanner.net.loop import run, settle_memory
from lanner.venues.codec import Feed, Subscription
from lanner.venues.market_gateway import MarketGateway
from lanner.venues.registry import endpoints_of, make_codec, product_spec
from lanner.venues.stream import MarketStream

FEEDS = {
    "ticker": (Feed.QUOTES, ""),
    "depth": (Feed.BOOK, "20"),
    "depth-read": (Feed.BOOK, "20"),
    "diff": (Feed.BOOK, ""),
}
BATCH = 20_000


class Listener(ln.Strategy):
    """A strategy that notes when it hears of a quote."""

    meter: Meter

    def on_quote(self, quote: Quote) -> None:
        self.meter.stamp(quote.seq)


def instruments() -> list[Instrument]:
    """Return the instruments of the prepared frames."""
    return [
        Instrument.spot(
            f"{symbol[:-4]}-USDT.BINANCE",
            tick="0." + "0" * (decimals - 1) + "1",
            lot="0." + "0" * (lots - 1) + "1",
            symbol=symbol,
        )
        for symbol, _, decimals, lots in SYMBOLS
    ]


def frames(args: Namespace) -> None:
    """Measure without a socket; frames come in batches, so that they fit into memory."""
    spec, known = product_spec("binance-spot"), instruments()
    codec = make_codec("binance-spot", endpoints_of(spec), None)
    codec.use(known)
    cache = Cache({one.id: one for one in known}, live=True)
    other: list[object] = []
    reads = args.kind == "depth-read"
    on_data = partial(_take_and_read, cache) if reads else cache.take
    stream = MarketStream(
        codec, on_data=on_data, on_event=other.append, on_other=other.append, ask_snapshot=other.append
    )
    feed, depth = FEEDS[args.kind]
    stream.want([Subscription(feed, one.id, depth) for one in known])
    meter = Meter(args.count, lambda: None)
    for start in range(0, args.count + BATCH, BATCH):  # the first batch warms up
        prepared = list(messages(args.kind, BATCH, seed=start))
        began, take, ts = time.process_time(), stream.frame, 1_700_000_000_000_000_000
        for frame in prepared:
            take(frame, ts)
        if start:
            meter.cpu_seconds += time.process_time() - began
        else:
            meter.pauses.clear()
    if other or stream.counts.data < args.count:
        raise RuntimeError(f"{stream.counts}: {other[:3]}")
    meter.seen = args.count + meter.begin
    meter.emit(version("lanner"))


def _take_and_read(cache: Cache, message: MarketData) -> None:
    """Do what a strategy does that looks at the middle of each book: a book is counted out when it is looked at."""
    cache.take(message)
    _ = cache.books[message.instrument_id].mid


async def stream(args: Namespace) -> None:
    """Measure over a connection."""
    done = asyncio.Event()
    meter = Meter(args.count, done.set)
    async with connect("binance-spot", Where({"": f"http://127.0.0.1:{args.port}"})) as link:
        known = await load_instruments(link)
        on_data = _to_strategy(known, meter) if args.task == "latency" else _to_cache(known, meter)
        gateway = MarketGateway(link, on_data=on_data)
        feed, depth = FEEDS[args.kind]
        await gateway.start([Subscription(feed, name, depth) for name in known])
        settle_memory()  # as every session does when its start is over
        try:
            async with asyncio.timeout(300):
                await done.wait()
        finally:
            await gateway.stop()
    meter.emit(version("lanner"), gaps=gateway.stream.counts.gaps)


def _to_cache(known: dict[str, Instrument], meter: Meter):  # type: ignore[no-untyped-def]
    cache = Cache(known, live=True)

    def on_data(message: MarketData) -> None:
        cache.take(message)
        meter.count()

    return on_data


def _to_strategy(known: dict[str, Instrument], meter: Meter):  # type: ignore[no-untyped-def]
    engine = Engine(known, "USDT")
    strategy = Listener()
    strategy.meter = meter
    for name in known:
        engine.subscriptions.add_source("quotes", name)
    engine.add_strategy(strategy, 100_000)
    engine.start(time.time_ns())
    step = engine.step

    def on_data(message: MarketData) -> None:
        step(message)

    return on_data


def main() -> None:
    args = arguments()
    if args.task == "frames":
        frames(args)
    else:
        run(stream(args))


if __name__ == "__main__":
    main()
