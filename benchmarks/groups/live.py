"""A live session: tick to order, orders over loopback, messages a second, idle time, memory, recovery, pauses."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from functools import partial
from typing import Any

from benchmarks.environments import ROOT, environment
from benchmarks.groups.venue import UNLIMITED, urgent
from benchmarks.measure import Row, alone, middle, significant
from benchmarks.venue_process import Venue

RATE, SECONDS = 5_000, 8
FLOOD = 60_000
WARM_MS = 5
ORDERS = 10_000
TICKS = 1_000
LONG_S = 600
FORGET_S = 60
TIMEOUT_S = 240
GOALS = {
    "p50_us": 60,
    "p99_us": 300,
    "ack_p99_us": 10_000,
    "messages": 20_000,
    "idle": 0.02,
    "recovery_s": 1.0,
    "gc_ms": 5.0,
    "late_us": 10_000,
}
Sample = dict[str, Any]


def run(rounds: int) -> Iterator[Row]:
    """Measure a session against the simulator, and its recovery; yield rows."""
    with Venue("--dialect", "binance-spot", "--rate", "2", "--quiet", *UNLIMITED) as venue:
        turns = max(1, min(rounds, 3))
        steady = [_trade(venue, RATE, RATE * SECONDS, every=10) for _ in range(turns)]
        warm = [_trade(venue, RATE, RATE * SECONDS, every=10, warm=WARM_MS) for _ in range(turns)]
        busy = [_trade(venue, RATE, RATE * SECONDS, every=10, busy=True) for _ in range(turns)]
        durable = _trade(venue, RATE, RATE * SECONDS // 2, every=10, sync="intents")
        flood = [_trade(venue, 0, FLOOD, every=100) for _ in range(turns)]
    of = partial(middle, steady)
    more = {"rate": RATE, "orders": steady[-1]["orders"], "sync": "interval"}
    for part in ("p50", "p99"):
        wall = significant(of(f"{part}_us"))
        figure, goal = of(f"cpu_{part}_us"), GOALS[f"{part}_us"]
        handed = significant(of(f"handed_{part}_us"))
        yield alone(
            f"tick-to-order/{part}",
            figure,
            "µs (CPU)",
            goal=goal,
            without_write_us=handed,
            wall_us=wall,
            **more,
        )
    yield alone(
        "tick-to-order/kept warm",
        middle(warm, "cpu_p50_us"),
        "µs, p50 (CPU)",
        goal=GOALS["p50_us"],
        p99_us=significant(middle(warm, "cpu_p99_us")),
        wall_us=significant(middle(warm, "p50_us")),
        warm_ms=WARM_MS,
        idle_cpu=significant(middle(warm, "idle_cpu")),
    )
    yield alone(
        "tick-to-order/busy poll",
        middle(busy, "cpu_p50_us"),
        "µs, p50 (CPU)",
        goal=GOALS["p50_us"],
        p99_us=significant(middle(busy, "cpu_p99_us")),
        without_write_us=significant(middle(busy, "handed_p50_us")),
        wall_us=significant(middle(busy, "p50_us")),
        wall_p99_us=significant(middle(busy, "p99_us")),
    )
    yield alone(
        "tick-to-order/each order on the disk first",
        durable["p50_us"],
        "µs, p50, with the wait for the disk",
        sync="intents",
        p99_us=significant(durable["p99_us"]),
    )
    yield alone(
        "order/answered",
        of("ack_p99_us"),
        "µs, p99",
        goal=GOALS["ack_p99_us"],
        p50_us=significant(of("ack_p50_us")),
    )
    rates = [
        {
            "cpu": one["messages"] / one["cpu_seconds"],
            "wall": one["messages"] / one["wall_seconds"],
        }
        for one in flood
    ]
    yield alone(
        "messages",
        middle(rates, "cpu"),
        "messages/s (CPU)",
        goal=GOALS["messages"],
        wall=significant(middle(rates, "wall")),
    )
    yield alone("idle", of("idle_cpu"), "of a core", goal=GOALS["idle"])
    yield alone("memory", of("rss_mb"), "MB", after_load_mb=significant(of("rss_after_mb")))
    late = _call("--task", "clock", "--count", str(TICKS))
    yield alone(
        "clock/lateness",
        late["p99_us"],
        "µs, p99",
        goal=GOALS["late_us"],
        p50_us=significant(late["p50_us"]),
        max_us=significant(late["max_us"]),
        ticks=TICKS,
        every_ms=10,
    )
    yield from _recovery(turns)
    yield from _long()


def _long() -> Iterator[Row]:
    """Trade for ten minutes without a break, with a session that forgets its orders a minute after their end."""
    with Venue("--dialect", "binance-spot", "--rate", "2", "--quiet", *UNLIMITED) as venue:
        told = _trade(venue, RATE, RATE * LONG_S, every=10, more=("--age", str(FORGET_S)))
    yield alone(
        "longest pause of the collector",
        told["gc_longest_ms"],
        "ms (CPU)",
        goal=GOALS["gc_ms"],
        seconds=LONG_S,
        pauses=told["gc_pauses"],
        orders=told["orders"],
        rate=RATE,
    )
    curve = told["memory"]
    yield alone(
        "memory/after ten minutes",
        told["rss_after_mb"],
        "MB",
        before_mb=significant(told["rss_mb"]),
        half_mb=significant(curve[len(curve) // 2][1]),
        orders=curve[-1][0],
        forgotten_after_s=FORGET_S,
    )


def _recovery(turns: int) -> Iterator[Row]:
    runs = [_call("--task", "recovery", "--count", str(ORDERS)) for _ in range(turns)]
    for how in ("journal", "checkpoint"):
        yield alone(
            f"recovery/{how}",
            middle(runs, f"{how}_s"),
            "s",
            goal=GOALS["recovery_s"],
            orders=ORDERS,
            records=runs[-1]["records"],
            cpu_s=significant(middle(runs, f"{how}_cpu_s")),
        )
    yield alone(
        "checkpoint",
        middle(runs, "freeze_s"),
        "s, in a copy of the process",
        mb=round(runs[-1]["checkpoint_mb"], 1),
    )


def _trade(
    venue: Venue,
    rate: int,
    count: int,
    *,
    every: int,
    sync: str = "interval",
    warm: float = 0.0,
    busy: bool = False,
    more: tuple[str, ...] = (),
) -> Sample:
    words = ["--kind", "ticker", "--rate", str(rate), "--count", str(count)]
    hose = subprocess.Popen(
        [*urgent(), sys.executable, "-m", "benchmarks.firehose", *words],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
    )
    try:
        assert hose.stdout is not None
        port = json.loads(hose.stdout.readline())["port"]
        url = venue.url("binance-spot")
        with urllib.request.urlopen(f"{url}/api/v3/ticker/bookTicker?symbol=BTCUSDT", timeout=30) as answer:
            bid = float(json.load(answer)["bidPrice"])
        account = venue.account("binance-spot")
        asked = {"http": url, "account": account, "px": round(bid * 0.95)}
        words = [
            "--port",
            str(port),
            "--count",
            str(count),
            "--every",
            str(every),
            "--sync",
            sync,
            "--warm",
            str(warm),
            *(["--busy"] if busy else []),
            *more,
        ]
        told = _call("--task", "trade", *words, text=json.dumps(asked), wait_s=count / (rate or FLOOD))
        if told.get("fault") or not told.get("orders"):
            raise RuntimeError(f"the session did not trade: {told}")
        return told
    finally:
        hose.terminate()
        hose.wait()
        time.sleep(0.5)


def _call(*words: str, text: str | None = None, wait_s: float = 0.0) -> Sample:
    done = subprocess.run(
        [*urgent(), sys.executable, "-m", "benchmarks.ours.live", *words],
        cwd=ROOT,
        env=environment(),
        input=text,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S + wait_s,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if not lines:
        raise RuntimeError(f"{' '.join(words)} failed:\n{done.stderr[-2_000:]}")
    result: Sample = json.loads(lines[-1])
    return result
