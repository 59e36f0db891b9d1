"""Market data, orders and the simulated venue: over sockets of this machine, against the clients that others use."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from typing import Any

from benchmarks.environments import (
    BINANCE_SDK,
    CCXT,
    CRYPTOFEED,
    HYPERLIQUID_SDK,
    PYTHON_BINANCE,
    ROOT,
    VENUE_PEERS,
    PeerUnavailableError,
    environment,
    ready,
)
from benchmarks.measure import Row, alone, middle, significant
from benchmarks.pipeline import pairs, push
from benchmarks.venue_process import Venue, cpu_seconds, rss_bytes

OURS = "lanner"
RATE = "messages/s (CPU)"
Sample = dict[str, Any]
Runs = dict[str, list[Sample]]

INGEST = {"ticker": 40_000, "depth": 15_000, "diff": 15_000}
"""Messages of each kind that go over a connection. `depth` are whole books of 20 levels, `diff` changes of as many."""
FRAMES = {"ticker": 200_000, "depth": 40_000, "depth-read": 40_000}
"""`depth-read` looks at the middle of each book: one that nobody looks at is not counted out."""
GOALS = {"frames/ticker": 300_000, "frames/depth": 100_000, "latency_p99_us": 1_000, "order_p50_us": 60}
READERS = {
    "ticker": (CCXT, CRYPTOFEED, PYTHON_BINANCE, BINANCE_SDK),
    "depth": (PYTHON_BINANCE,),
    "diff": (CCXT, CRYPTOFEED, PYTHON_BINANCE, BINANCE_SDK),
}
LATENCY_RATES = (5_000, 20_000)
LATENCY_SECONDS = 4
ORDER_COUNT = 150
SENDERS = {
    ("binance-spot", "hmac"): (PYTHON_BINANCE, BINANCE_SDK),
    ("binance-spot", "ed25519"): (PYTHON_BINANCE, BINANCE_SDK),
    ("hyperliquid", "wallet"): (HYPERLIQUID_SDK,),
}
UNLIMITED = [
    word
    for name in ("weight_limit", "orders_10s", "orders_day", "raw_limit")
    for word in ("--option", f"binance-spot.{name}=100000000")
]
PIPELINED = 5_000
TIMEOUT_S = 180


def run(rounds: int) -> Iterator[Row]:
    """Measure ours and every peer once a round, in turn; yield rows."""
    pythons: dict[str, str] = {OURS: sys.executable}
    for peer in VENUE_PEERS:
        try:
            pythons[peer.name] = str(ready(peer))
        except PeerUnavailableError as reason:
            print(f"# skipped {peer.name}: {reason}", flush=True)
            yield Row(f"peer/{peer.name}", 0.0, None, None, None, "", {"unavailable": str(reason)})
    yield from _frames(rounds)
    for kind in INGEST:
        yield from _ingest(kind, rounds, pythons)
    for rate in LATENCY_RATES:
        yield from _latency(rate, rounds, pythons)
    with Venue(
        "--dialect", "binance-spot", "--dialect", "hyperliquid", "--rate", "50", "--quiet", *UNLIMITED
    ) as venue:
        for (product, key), peers in SENDERS.items():
            names = [peer.name for peer in peers if peer.name in pythons]
            runs = _turns(rounds, [OURS, *names], partial(_order, venue, product, key, pythons))
            yield from order_rows(f"order/{product}/{key}", runs)
            yield _warm(rounds, venue, product, key, pythons)
    yield _start(rounds)
    yield _pipeline(rounds)


def _turns(rounds: int, names: list[str], measure: Any) -> Runs:
    """Let everybody take a turn in each round; one that fails keeps its reason and gets no further turns."""
    runs: Runs = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:
            if runs[name] and "failed" in runs[name][-1]:
                continue
            try:
                runs[name].append(measure(name))
            except (RuntimeError, subprocess.TimeoutExpired) as error:
                runs[name].append({"failed": _reason(str(error))})
                print(f"# {name} failed: {runs[name][-1]['failed']}", flush=True)
    return runs


def _reason(text: str) -> str:
    """Return the line that names the error, also where an interpreter complained at its end about what it left."""
    lines = [line.strip() for line in text.splitlines()]
    named = [line for line in lines if line.partition(":")[0].endswith(("Error", "Exception", "Expired"))]
    return (named or [line for line in lines if line] or ["no message"])[0][:300]


# -- reading -----------------------------------------------------------------------------------------------


def _frames(rounds: int) -> Iterator[Row]:
    for kind, count in FRAMES.items():
        command = [sys.executable, "-m", "benchmarks.ours.venue_stream"]
        words = ["--task", "frames", "--kind", kind, "--count", str(count)]
        runs = [_call([*command, *words]) for _ in range(rounds)]
        rate = count / middle(runs, "cpu_seconds")
        name = f"frames/{kind}"
        yield alone(name, rate, RATE, goal=GOALS.get(name, 0), **_memory(runs))


def _ingest(kind: str, rounds: int, pythons: dict[str, str]) -> Iterator[Row]:
    names = [OURS, *(peer.name for peer in READERS[kind] if peer.name in pythons)]
    count = INGEST[kind]
    runs = _turns(rounds, names, lambda name: _read("ingest", kind, 0, count, name, pythons))
    for row in compared(f"ingest/{kind}", runs, _rate, RATE, larger_is_better=True):
        row.detail["us_per_message"] = significant(1e6 / row.ours)
        yield row


def _latency(rate: int, rounds: int, pythons: dict[str, str]) -> Iterator[Row]:
    names = [OURS, *(peer.name for peer in READERS["ticker"] if peer.name in pythons)]
    count = rate * LATENCY_SECONDS
    runs = _turns(rounds, names, lambda name: _read("latency", "ticker", rate, count, name, pythons))
    for row in compared(f"latency/{rate}", runs, lambda some: middle(some, "p99_us"), "µs, p99"):
        row.detail["goal"] = GOALS["latency_p99_us"]
        row.detail["sent"] = count
        yield row


def _read(task: str, kind: str, rate: int, count: int, name: str, pythons: dict[str, str]) -> Sample:
    """Run one reader against a firehose of its own."""
    words = ["-m", "benchmarks.firehose", "--kind", kind, "--rate", str(rate), "--count", str(count)]
    hose = subprocess.Popen(
        [*urgent(), sys.executable, *words], cwd=ROOT, env=environment(), stdout=subprocess.PIPE
    )
    try:
        assert hose.stdout is not None
        port = json.loads(hose.stdout.readline())["port"]
        module = next(
            (peer.module for peer in VENUE_PEERS if peer.name == name), "benchmarks.ours.venue_stream"
        )
        command = [*urgent(), pythons[name], "-m", module, "--task", task, "--kind", kind]
        return _call([*command, "--port", str(port), "--count", str(count)])
    finally:
        hose.terminate()
        hose.wait()


def urgent() -> list[str]:
    """Run before others where that is allowed: a busy machine measures itself otherwise."""
    return ["nice", "-n", "-10"] if os.geteuid() == 0 else []


# -- orders ------------------------------------------------------------------------------------------------


def _order(
    venue: Venue, product: str, key: str, pythons: dict[str, str], name: str, *, warm: bool = False
) -> Sample:
    where = venue.ready["dialects"][product]
    asked = {"product": product, "key": key, "http": where["http"], "ws": where["ws"], "warm": warm}
    module = next((peer.module for peer in VENUE_PEERS if peer.name == name), "benchmarks.ours.venue")
    command = [
        *urgent(),
        pythons[name],
        "-m",
        f"{module.removesuffix('_venue')}_orders" if name != OURS else f"{module}_orders",
    ]
    text = json.dumps({**asked, "account": venue.account(product)})
    return _call([*command, "--count", str(ORDER_COUNT)], text)


def _warm(rounds: int, venue: Venue, product: str, key: str, pythons: dict[str, str]) -> Row:
    """Measure single orders of ours once more while orders are rehearsed between them."""
    runs = [_order(venue, product, key, pythons, OURS, warm=True) for _ in range(rounds)]
    name = f"order/{product}/{key}/warm"
    return alone(name, middle(runs, "cpu_p50_us"), "µs, p50 (CPU)", goal=GOALS["order_p50_us"])


def order_rows(name: str, runs: Runs) -> Iterator[Row]:
    """Yield rows of CPU time from the call to the write: one order after the other, and in bursts where possible."""
    goal = GOALS["order_p50_us"]
    for label, key in (("single", "cpu_p50_us"), ("burst", "burst_cpu_p50_us")):
        some = {
            who: [sample for sample in samples if key in sample or "failed" in sample]
            for who, samples in runs.items()
        }
        some = {who: samples for who, samples in some.items() if samples}
        for row in compared(
            f"{name}/{label}", some, lambda held, key=key: middle(held, key), "µs, p50 (CPU)"
        ):
            row.detail["goal"] = goal
            yield row


# -- the simulated venue -----------------------------------------------------------------------------------


def _start(rounds: int) -> Row:
    seconds = []
    for _ in range(rounds):
        with Venue() as venue:
            seconds.append({"s": venue.start_s, "rss": rss_bytes(venue.process.pid) / 1e6})
    return alone(
        "venue/start",
        middle(seconds, "s"),
        "s",
        goal=2.0,
        dialects=3,
        rss_mb=round(middle(seconds, "rss"), 1),
    )


def _pipeline(rounds: int) -> Row:
    samples = []
    with Venue("--dialect", "binance-spot", "--feed", "none", "--quiet", *UNLIMITED) as venue:
        url = f"{venue.ready['dialects']['binance-spot']['ws']}/ws-api/v3"
        account = venue.account("binance-spot")
        push(url, list(pairs(500, 50_000, account)))
        for _ in range(rounds):
            frames = list(pairs(PIPELINED, 50_000, account))
            before = cpu_seconds(venue.process.pid)
            done = push(url, frames)
            if done.accepted != done.requests:
                raise RuntimeError(
                    f"{done.requests - done.accepted} of {done.requests} requests were refused"
                )
            used = cpu_seconds(venue.process.pid) - before
            samples.append({"cpu": done.requests / used, "wall": done.requests / done.seconds})
        rss = rss_bytes(venue.process.pid) / 1e6
    return alone(
        "venue/orders",
        middle(samples, "cpu"),
        "requests/s (CPU)",
        goal=10_000,
        wall=significant(middle(samples, "wall")),
        mix="half order.place (HMAC), half order.cancel, one connection",
        rss_mb=round(rss, 1),
    )


# -- rows --------------------------------------------------------------------------------------------------


def _call(command: list[str], text: str | None = None) -> Sample:
    done = subprocess.run(
        command, cwd=ROOT, env=environment(), input=text, capture_output=True, text=True, timeout=TIMEOUT_S
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if not lines:
        raise RuntimeError(f"{' '.join(command[-8:])} failed:\n{done.stderr[-2_000:]}")
    result: Sample = json.loads(lines[-1])
    return result


def _rate(samples: list[Sample]) -> float:
    return middle(samples, "messages") / middle(samples, "cpu_seconds")


def _memory(samples: list[Sample]) -> dict[str, Any]:
    last = samples[-1]
    return {
        "rss_mb": round(last["rss_mb"], 1),
        "gc_pauses": last["gc_pauses"],
        "gc_longest_ms": significant(max(sample["gc_longest_ms"] for sample in samples)),
    }


def compared(
    name: str, runs: Runs, figure: Any, unit: str, *, larger_is_better: bool = False
) -> Iterator[Row]:
    """Yield a row for each peer; one that failed is there with its reason. Ours alone where there is no peer."""
    well = {who: [one for one in samples if "failed" not in one] for who, samples in runs.items()}
    if not well.get(OURS):
        raise RuntimeError(f"{name}: ours failed: {runs[OURS][-1]['failed']}")
    ours = figure(well[OURS])
    peers = [who for who in runs if who != OURS]
    if not peers:
        yield alone(name, ours, unit, **_medians(well[OURS]))
    for who in peers:
        detail: dict[str, Any] = {"ours": _medians(well[OURS])}
        if not well[who]:
            yield Row(
                f"{name}/{who}",
                significant(ours),
                None,
                None,
                None,
                unit,
                detail | {"failed": runs[who][-1]["failed"]},
            )
            continue
        theirs = figure(well[who])
        ratio = ours / theirs if larger_is_better else theirs / ours
        version = str(well[who][-1]["version"])
        detail["peer"] = _medians(well[who])
        yield Row(
            f"{name}/{who}",
            significant(ours),
            significant(theirs),
            version,
            significant(ratio, 3),
            unit,
            detail,
        )


def _medians(samples: list[Sample]) -> dict[str, Any]:
    numbers = [
        key
        for key, value in samples[-1].items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    ]
    others = {key: value for key, value in samples[-1].items() if key not in numbers and key != "version"}
    return {key: significant(middle(samples, key)) for key in numbers} | others
