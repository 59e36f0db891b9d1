"""Half an hour of market data with everything going wrong: `make soak`, or `make soak MINUTES=2`.

A simulated venue serves three products at about 2,000 messages a second with a mix of faults. One recording for each
product listens with one connection. At the end the faults stop, and then must hold: nothing was raised that nobody
caught, memory did not grow, every book is the venue's own book at the same number, and every fault that a client can
notice is in the ledger. The result goes to `results/soak.json`; the exit code says whether all of it held.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import logging
import shutil
import sys
import tempfile
import time
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from benchmarks.evidence import SECOND, join, slope, steady
from benchmarks.measure import RESULTS, machine
from benchmarks.venue_process import Venue, cpu_seconds, rss_bytes
from lanner.engine.cache import Cache
from lanner.live.connect import Where, connect, load_instruments
from lanner.live.record import Recording, RecordOptions
from lanner.model.enums import Side
from lanner.model.market import MarketData, Trade
from lanner.net.loop import run
from lanner.net.wallclock import wall_ns
from lanner.storage.catalog import Catalog
from lanner.venues.codec import Feed, Subscription

ACTIONS_PER_S = 3_000
"""Of the synthetic market, for each product; all together that makes about 2,000 messages a second."""
FEEDS = {
    "binance-spot": (Feed.QUOTES, Feed.TRADES, Feed.BOOK),
    "binance-usdm": (Feed.QUOTES, Feed.TRADES, Feed.BOOK, Feed.MARK),
    "hyperliquid": (Feed.QUOTES, Feed.TRADES, Feed.BOOK, Feed.MARK),
}
NUMBERED = {"binance-spot": ("book", "trades"), "binance-usdm": ("book", "trades"), "hyperliquid": ()}
FAULTS: tuple[dict[str, Any], ...] = (
    {"name": "drop", "p": 0.0005},
    {"name": "sequence-gap", "p": 0.002},
    {"name": "duplicate", "p": 0.001},
    {"name": "reorder", "p": 0.0005},
    {"name": "garble", "p": 0.0002},
    {"name": "latency", "p": 0.002, "dist": "exponential", "ms": 20},
    {"name": "stall", "p": 0.00002, "for": 3},
    {"name": "close", "p": 0.00001, "code": 1006},
    {"name": "close", "p": 0.00001, "code": 1001},
    {"name": "server-error", "p": 0.05, "status": 503, "path": "/"},
    {"name": "server-error", "p": 0.05, "status": 500, "path": "/"},
    {"name": "rate-limit", "p": 0.02, "retry": 1, "path": "/"},
    {"name": "lose-request", "p": 0.02, "path": "/"},
    {"name": "lose-request", "p": 0.02, "path": "ws"},
    {"name": "stale-snapshot", "at": 20},
    {"name": "refuse-connect", "at": 35, "for": 3},
    {"name": "maintenance", "at": 50, "for": 5},
)
LAST = {"name": "half-open", "p": 0.000004}
"""Ends earlier than the others, since a peer that is dead without a word is only noticed after two heartbeats."""
WARM_UP_S, CALM_S, DEAD_S = 10.0, 30.0, 90.0
"""Without faults at the start, so that every book has begun, and at the end, so that every book can heal."""
SETTLED_BYTES_PER_MINUTE = 300_000
"""Memory may rise so fast over the second half before it counts as a leak (10 MB in half an hour), apart from the jumps
with which a recording is committed: a day's file is merged in memory until it is large enough to be merged on disk."""


class Complaints(logging.Handler):
    """Everything that was raised and that nobody caught, and all warnings."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record of the log."""
        error = record.exc_info[1] if record.exc_info else None
        self.texts.append(f"{record.name}: {record.getMessage()} {error!r}"[:500])

    def listen(self) -> None:
        """Hear of everything from now on."""
        logging.getLogger().addHandler(self)
        asyncio.get_running_loop().set_exception_handler(
            lambda _loop, context: self.texts.append(f"loop: {context}"[:500])
        )
        sys.unraisablehook = lambda args: self.texts.append(f"unraisable: {args.exc_value!r}"[:500])


@dataclass
class Product:
    """What the client holds of one product."""

    name: str
    folder: Path
    cache: Cache
    recording: Recording
    symbols: dict[str, str]
    counts: Counter[str] = field(default_factory=Counter)
    lateness: dict[int, int] = field(default_factory=dict)
    latest: float = 0.0
    silences: list[float] = field(default_factory=list)

    def take(self, message: MarketData) -> None:
        """Put a message where a strategy would look for it."""
        self.cache.take(message)
        self.counts[type(message).__name__] += 1
        if type(message) is Trade:
            second, late = message.ts_event // SECOND, message.ts_recv - message.ts_event
            if late > self.lateness.get(second, 0):
                self.lateness[second] = late
        now = time.monotonic()
        if self.latest and now - self.latest > 5.0:
            self.silences.append(now - self.latest)
        self.latest = now


class Pauses:
    """How long the garbage collector held everything up."""

    def __init__(self) -> None:
        self.longest = [0.0, 0.0, 0.0]
        self.total = 0.0
        self._began = 0.0
        gc.callbacks.append(self._note)

    def _note(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._began = time.perf_counter()
            return
        took = time.perf_counter() - self._began
        self.total += took
        self.longest[info["generation"]] = max(self.longest[info["generation"]], took)


async def soak(minutes: float, venue: Venue, folder: Path) -> dict[str, Any]:
    """Run the soak against a venue and return its result."""
    complaints, pauses = Complaints(), Pauses()
    complaints.listen()
    stop = asyncio.Event()
    memory: list[tuple[float, float, float]] = []
    checks: Counter[str] = Counter()
    async with AsyncExitStack() as stack:
        products = [await _open(stack, venue, name, folder / name) for name in FEEDS]
        work = [asyncio.create_task(_record(one, stop)) for one in products]
        began, cpu = time.monotonic(), time.process_time()
        await asyncio.sleep(WARM_UP_S)
        last = {**LAST, "for": max(20.0, minutes * 60 - WARM_UP_S - CALM_S - DEAD_S)}
        for params in (*FAULTS, last):
            for name in FEEDS if "at" in params else ("",):
                wanted = {**params, "dialect": name} if name else params
                await asyncio.to_thread(venue.ask, "POST", "/faults", dict(wanted))
        while time.monotonic() - began < minutes * 60 - CALM_S:
            await asyncio.sleep(1.0)
            memory.append((time.monotonic() - began, rss_bytes(), rss_bytes(venue.process.pid)))
            if len(memory) % 20 == 0:
                checks += await _compare(venue, products)
        await asyncio.to_thread(venue.ask, "DELETE", "/faults")
        await asyncio.sleep(CALM_S)
        await asyncio.to_thread(venue.ask, "POST", "/feed", {"on": False})
        await asyncio.sleep(2.0)
        lasted, used = time.monotonic() - began, time.process_time() - cpu
        books = await _compare(venue, products, last=True)
        log = await asyncio.to_thread(venue.ask, "GET", "/log")
        end_ns = wall_ns()
        stop.set()
        results = await asyncio.gather(*work, return_exceptions=True)
    complaints.texts += [f"recording: {one!r}" for one in results if isinstance(one, BaseException)]
    found = {one.name: _product(one, log, end_ns) for one in products}
    half = memory[len(memory) // 2 :]
    messages = sum(sum(one.counts.values()) for one in products)
    return {
        "minutes": round(lasted / 60, 2),
        "messages": messages,
        "messages_per_s": round(messages / lasted),
        "client_cpu_share": round(used / lasted, 3),
        "venue_cpu_share": round(cpu_seconds(venue.process.pid) / lasted, 3),
        "unhandled": complaints.texts[:50],
        "memory": {
            "client_mb_by_minute": [round(client / 1e6, 1) for _, client, _ in memory[::60]],
            "venue_mb_by_minute": [round(server / 1e6, 1) for _, _, server in memory[::60]],
            "client_mb_at_half": round(half[0][1] / 1e6, 1),
            "client_mb_at_end": round(half[-1][1] / 1e6, 1),
            "client_kb_per_minute": round(slope([(t / 60, client) for t, client, _ in half]) / 1e3, 1),
            "venue_mb_at_half": round(half[0][2] / 1e6, 1),
            "venue_mb_at_end": round(half[-1][2] / 1e6, 1),
            "venue_kb_per_minute": round(slope([(t / 60, server) for t, _, server in half]) / 1e3, 1),
        },
        "gc": {
            "longest_ms": [round(one * 1e3, 2) for one in pauses.longest],
            "total_s": round(pauses.total, 2),
        },
        "books_during": dict(checks),
        "books_at_end": dict(books),
        "products": found,
    }


async def _open(stack: AsyncExitStack, venue: Venue, name: str, folder: Path) -> Product:
    link = await stack.enter_async_context(connect(name, Where({"": venue.url(name)})))
    instruments = await load_instruments(link)
    catalog = Catalog(folder / "catalog")
    for instrument in instruments.values():
        catalog.save_instrument(instrument)
    held: list[Product] = []
    options = RecordOptions(folder / "recording", connections=1, rotate_bytes=64_000_000, commit_s=300.0)
    recording = Recording(link, catalog, options, on_data=lambda message: held[0].take(message))
    symbols = {one.id: one.symbol for one in instruments.values()}
    held.append(Product(name, options.folder, Cache(instruments), recording, symbols))
    return held[0]


async def _record(product: Product, stop: asyncio.Event) -> None:
    wishes = [Subscription(feed, name) for name in product.symbols for feed in FEEDS[product.name]]
    await product.recording.run(wishes, stop)


async def _compare(venue: Venue, products: list[Product], *, last: bool = False) -> Counter[str]:
    """Compare each whole book with the venue's at the same number; at the end all must be whole."""
    found: Counter[str] = Counter()
    for product in products:
        for instrument_id, symbol in product.symbols.items():
            found[await _judge(venue, product, instrument_id, symbol, last)] += 1
    return +found


async def _judge(venue: Venue, product: Product, instrument_id: str, symbol: str, last: bool) -> str:
    book = product.cache.books.get(instrument_id)
    if book is None or not product.recording.synchronised(instrument_id):
        return "not whole"
    if product.name == "hyperliquid" and not last:
        return "without numbers"
    seq, ours = book.seq, {side: book.ticks(side) for side in (Side.BUY, Side.SELL)}
    path = f"/book?dialect={product.name}&market={symbol}"
    try:
        told = await asyncio.to_thread(
            venue.ask, "GET", path if product.name == "hyperliquid" else f"{path}&seq={seq}"
        )
    except OSError:
        return "unknown to the venue"
    instrument = product.cache.instrument(instrument_id)
    theirs = {
        side: [
            (int(Decimal(px) / instrument.tick), int(Decimal(qty) / instrument.lot)) for px, qty in told[key]
        ]
        for side, key in ((Side.BUY, "bids"), (Side.SELL, "asks"))
    }
    depth = 20 if product.name == "hyperliquid" else None
    same = all(ours[side][:depth] == theirs[side][:depth] for side in ours)
    if last and product.name != "hyperliquid" and told["seq"] != (await _now(venue, product, symbol)):
        return "behind"
    return "equal" if same else "different"


async def _now(venue: Venue, product: Product, symbol: str) -> int:
    told = await asyncio.to_thread(venue.ask, "GET", f"/book?dialect={product.name}&market={symbol}&depth=1")
    return int(told["seq"])


def _product(product: Product, log: dict[str, Any], end_ns: int) -> dict[str, Any]:
    ledger = [json.loads(line) for line in (product.folder / "gaps.jsonl").read_text().splitlines()]
    faults = [line for line in log["lines"] if line["dialect"] == product.name]
    joined = join(
        faults,
        ledger,
        start_ns=log["started_ns"],
        end_ns=end_ns,
        numbered=NUMBERED[product.name],
        lateness=product.lateness,
    )
    late = sorted(product.lateness.values())
    passport = product.recording.passport()
    return {
        "messages": dict(product.counts),
        "frames": passport["stream"],
        "malformed": passport["malformed"],
        "raw": passport["raw"],
        "ledger": dict(Counter(row["kind"] for row in ledger)),
        "faults": dict(Counter(f"{line['fault']}" for line in faults)),
        "in_ledger": dict(joined.found),
        "traceless": dict(joined.traceless),
        "moot": dict(joined.moot),
        "missing": joined.missing[:20],
        "missing_count": len(joined.missing),
        "latest_of_a_second_ms": {
            "p50": round(late[len(late) // 2] / 1e6, 1),
            "p99": round(late[len(late) * 99 // 100] / 1e6, 1),
        },
        "silences_s": [round(one, 1) for one in product.silences],
    }


def failures(result: dict[str, Any]) -> list[str]:
    """Say what did not hold."""
    found = []
    if result["unhandled"]:
        found.append(f"{len(result['unhandled'])} exceptions or warnings: {result['unhandled'][0]}")
    for whose in ("client", "venue"):
        minutes = result["memory"][f"{whose}_mb_by_minute"]
        rise = round(steady(minutes[len(minutes) // 2 :]) * 1e3, 1)
        if result["minutes"] >= 10 and rise * 1e3 > SETTLED_BYTES_PER_MINUTE:
            found.append(f"memory of the {whose} grows by {rise} kB a minute")
    found += [
        f"{when}: {result[when]['different']} differ from the venue's"
        for when in ("books_during", "books_at_end")
        if result[when].get("different")
    ]
    if set(result["books_at_end"]) != {"equal"}:
        found.append(f"books at the end: {result['books_at_end']}")
    for name, product in result["products"].items():
        if product["missing_count"]:
            found.append(f"{name}: {product['missing_count']} faults are not in the ledger")
    return found


def main() -> int:
    """Run the soak and write its result."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rate", type=float, default=ACTIONS_PER_S, help="actions a second and product")
    parser.add_argument(
        "--keep", type=Path, help="keep recordings, ledgers and the log of faults in this folder"
    )
    parser.add_argument("--out", type=Path, default=RESULTS / "soak.json")
    options = parser.parse_args()
    folder = options.keep or Path(tempfile.mkdtemp(prefix="lanner-soak-"))
    folder.mkdir(parents=True, exist_ok=True)
    served = [word for name in FEEDS for word in ("--dialect", name)]
    notes = folder / "venue.log"
    try:
        log = str(folder / "faults.jsonl")
        with Venue(*served, "--rate", str(options.rate), "--fault-log", log, notes=notes) as venue:
            result = run(soak(options.minutes, venue, folder))
        result["venue_notes"] = notes.read_text().splitlines()[:20]
        result["failures"] = failures(result)
        whole = {"soak": result, "faults": FAULTS, "machine": machine()}
        options.out.write_text(json.dumps(whole, indent=2) + "\n")
        print(json.dumps(result, indent=2))
    finally:
        if options.keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    return 1 if result["failures"] else 0


if __name__ == "__main__":
    sys.exit(main())
