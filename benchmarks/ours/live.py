"""A live session under load: from a frame's arrival to the order on the wire, through journal, engine and risk rules.

`--task trade`: a session with everything that belongs to one trades at the simulator; after a quiet time, quotes of the
firehose go through its intake, each at the moment at which it is read, and every so-manieth leads to an order or a
cancel. `--task recovery`: a journal of so many orders is made, and taken up again.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import resource
import sys
import tempfile
import time
from array import array
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.venue_process import rss_bytes
from lanner.control.clock import Clock
from lanner.control.opening import beside, plan_for
from lanner.live.collecting import keep_collected
from lanner.live.config import JournalConfig, RecoveryConfig, RetentionConfig, SessionConfig
from lanner.live.connect import Where
from lanner.live.session import Session
from lanner.model.orders import OrderView
from lanner.net.loop import run
from lanner.net.socket_settings import SocketSettings
from lanner.net.wallclock import wall_ns
from lanner.net.websocket import WebSocket
from lanner.venues.codec import Bucket
from lanner.venues.keys import Keys
from lanner.venues.link import Link
from lanner.venues.registry import endpoints_of, make_codec, product_spec

PRODUCT = "binance-spot"
NAMES = ("BTC-USDT", "ETH-USDT", "SOL-USDT")
PATH = "/stream?streams=btcusdt@bookTicker/ethusdt@bookTicker/solusdt@bookTicker"
IDLE_S = 5.0
SETTLE = 1_000
CURVE = 20
"""So often the resident memory is looked at during the load."""
STRATEGY = '''
import lanner as ln


class Poke(ln.Strategy):
    """Place an order far from the market, take it back, and so on."""

    every = ln.Param(50, 1, 1000000)
    px = ln.Param(1.0, 0.01, 1e9)

    def on_start(self):
        self.n = 0
        self.mean = self.quotes("BTC-USDT.BINANCE").sma(20)

    def on_quote(self, quote):
        self.n += 1
        if self.n % self.every == 0:
            if self.open_orders:
                self.cancel_all()
            else:
                self.buy(0.001, px=self.px, post_only=True)
'''


class Load:
    """The firehose's quotes into a session, and what came of them."""

    def __init__(self, session: Session, count: int) -> None:
        self.delays, self.work, self.acks = array("q"), array("q"), array("q")
        self.handed = array("q")
        self.seen = self._handed_cpu = 0
        self.cpu = self.wall = 0.0
        self.done = asyncio.Event()
        self.pauses: list[float] = []
        self.memory: list[tuple[int, float]] = []
        self._session = session
        self._count = count
        self._decode = session.links[PRODUCT].codec.decode
        self._paused_at = 0.0
        session.bus.subscribe("order.accepted", self._accepted)
        gc.callbacks.append(self._collected)

    def frame(self, payload: bytes, ts_recv: int) -> None:
        """Take one frame as the session's own connection would."""
        heart, data = self._session.heart, self._session.intake.data
        before, began = heart.commands, time.thread_time_ns()
        for message in self._decode(payload, ts_recv):
            data(message)  # type: ignore[arg-type]
        if heart.commands != before and self.seen > SETTLE:
            self.delays.append(wall_ns() - ts_recv)
            self.work.append(time.thread_time_ns() - began)
            self.handed.append(self._handed_cpu - began)
        self.seen += 1
        if self.seen % (self._count // CURVE) == 0:
            orders = self._session.engine.execution.retention.order_count
            self.memory.append((orders, rss_bytes(os.getpid()) / 1e6))
        if self.seen == SETTLE:
            self.cpu, self.wall = time.process_time(), time.perf_counter()
        elif self.seen == self._count:
            self.cpu, self.wall = time.process_time() - self.cpu, time.perf_counter() - self.wall
            self.done.set()

    def watch(self, wire: Any) -> None:
        """Note when an order is handed to the wire: what follows is framing and the operating system's write."""
        send = wire.send

        def sending(payload: bytes, binary: bool) -> bool:
            self._handed_cpu = time.thread_time_ns()
            sent: bool = send(payload, binary)
            return sent

        wire.send = sending

    def _accepted(self, order: OrderView) -> None:
        if self.seen > SETTLE:
            self.acks.append(wall_ns() - order.ts_init)

    def _collected(self, phase: str, _info: dict[str, int]) -> None:
        if phase == "start":
            self._paused_at = time.thread_time()
        else:
            self.pauses.append(time.thread_time() - self._paused_at)


def share(values: Sequence[int], part: float) -> float:
    """Return a quantile in microseconds, 0 where there is nothing."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] / 1e3 if ordered else 0.0


@asynccontextmanager
async def reach(product: str, where: Where, *, keys: Keys | None = None) -> AsyncIterator[Link]:
    """Open a link without limits of its own: the venue's are lifted too."""
    spec = product_spec(product)
    codec = make_codec(product, endpoints_of(spec, url=where.url(product)), keys)
    codec.spec = replace(spec, buckets={bucket: Bucket(10**9, 60.0) for bucket in spec.buckets})
    link = Link(codec)
    try:
        await link.open()
        yield link
    finally:
        await link.close()


async def trade(options: argparse.Namespace, asked: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Run a session: quiet first, then under load."""
    (folder / "poke.py").write_text(STRATEGY)
    config = SessionConfig(
        mode="live",
        strategy=str(folder / "poke.py"),
        params={"every": options.every, "px": asked["px"]},
        instruments=[f"{name}@binance" for name in NAMES],
        url={"": asked["http"]},
        cash=100_000,
        journal=JournalConfig(sync=options.sync),
        retention=RetentionConfig(ended_orders=options.keep, min_age_s=options.age),
        recovery=RecoveryConfig(reconcile_s=options.reconcile),
        warm_ms=options.warm or None,
        busy_poll=options.busy,
    )
    where = Where(config.url)
    account = asked["account"]
    keys = Keys("hmac", account["api_secret"], api_key=account["api_key"])
    plan = await plan_for(config, where)
    session = Session(plan, "bench", folder / "bench", where, keys=lambda _: keys, reach=reach)
    ready = asyncio.Event()
    told: dict[str, Any] = {}
    async with beside(session, config, lambda text: print(text, file=sys.stderr), console=False):
        life = asyncio.create_task(session.run(on_ready=ready.set))
        await asyncio.wait({life, asyncio.ensure_future(ready.wait())}, return_when=asyncio.FIRST_COMPLETED)
        if not life.done():
            session.spawn(keep_collected())
            told = await measure(session, options)
        session.stop()
        await life
    return told


async def measure(session: Session, options: argparse.Namespace) -> dict[str, Any]:
    """Be idle for a while, then take the load."""
    await asyncio.sleep(1.0)
    idle = time.process_time()
    await asyncio.sleep(IDLE_S)
    idle = (time.process_time() - idle) / IDLE_S
    rss = rss_bytes(os.getpid())
    load = Load(session, options.count)
    venues: Any = session.venues
    load.watch(venues._gateways[PRODUCT]._orders.socket._wire)
    socket = WebSocket(
        SocketSettings(name="firehose", url=f"ws://127.0.0.1:{options.port}{PATH}"), on_frame=load.frame
    )
    await socket.start()
    await load.done.wait()
    await socket.stop()
    await asyncio.sleep(0.2)
    return {
        "messages": load.seen - SETTLE,
        "cpu_seconds": load.cpu,
        "wall_seconds": load.wall,
        "orders": len(load.delays),
        "cpu_p50_us": share(load.work, 0.5),
        "cpu_p99_us": share(load.work, 0.99),
        "handed_p50_us": share(load.handed, 0.5),
        "handed_p99_us": share(load.handed, 0.99),
        "p50_us": share(load.delays, 0.5),
        "p99_us": share(load.delays, 0.99),
        "max_us": share(load.delays, 1.0),
        "ack_p50_us": share(load.acks, 0.5),
        "ack_p99_us": share(load.acks, 0.99),
        "idle_cpu": idle,
        "rss_mb": rss / 1e6,
        "rss_after_mb": rss_bytes(os.getpid()) / 1e6,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
        "memory": load.memory,
        "gc_pauses": len(load.pauses),
        "gc_longest_ms": 1e3 * max(load.pauses, default=0.0),
        "fault": session.health.last_error,
    }


def clock(ticks: int) -> dict[str, Any]:
    """Let a clock tick every 10 ms; return how late the ticks began."""
    beat = Clock(10)

    class Last:
        """End the clock after the last tick."""

        def on_tick(self, number: int, ts: int) -> None:
            """Count."""
            if number >= ticks:
                beat.stop()

    beat.add_strategy(Last())
    beat.start()
    stats = beat.stats()
    return {
        "p50_us": stats.jitter_p50_ns / 1e3,
        "p99_us": stats.jitter_p99_ns / 1e3,
        "max_us": stats.jitter_max_ns / 1e3,
        "overruns": stats.overruns,
    }


def main() -> None:
    """Run one task and print one line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--task", choices=("trade", "recovery", "clock"), required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--every", type=int, default=50)
    parser.add_argument("--sync", default="interval")
    parser.add_argument("--warm", type=float, default=0.0)
    parser.add_argument("--busy", action="store_true")
    parser.add_argument("--keep", type=int, default=10_000)
    parser.add_argument("--age", type=float, default=3_600.0)
    parser.add_argument("--reconcile", type=float, default=60.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LANNER_HOME"] = folder
        if options.task == "trade":
            told = run(trade(options, json.loads(sys.stdin.read()), Path(folder)))
        elif options.task == "clock":
            told = clock(options.count)
        else:
            from benchmarks.ours.live_recovery import recovery

            told = recovery(options.count, Path(folder))
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
