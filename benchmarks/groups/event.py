"""Events per second of CPU time: an EMA 100/500 cross that sends orders, on bars and on quotes, against the peers."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from benchmarks.environments import BENCH, PEERS, PeerUnavailableError, ready
from benchmarks.measure import Row, alone, middle, script, significant
from benchmarks.walk import ensure

ROWS = 500_000
OURS = "lanner"
UNIT = "events/s (CPU)"
TOLERANCE = 0.02
"""Engines may differ by this share in orders (a cross on the first or last bar) and still have done the same work."""


def run(rounds: int) -> Iterator[Row]:
    """Measure every engine once a round, in turn, and yield a row for each peer and kind of data."""
    engines: dict[str, tuple[str, str, tuple[str, ...]]] = {
        OURS: (sys.executable, "benchmarks.ours.ema", ("bars", "quotes"))
    }
    for peer in PEERS:
        try:
            engines[peer.name] = (str(ready(peer)), peer.module, peer.kinds)
        except PeerUnavailableError as reason:
            print(f"# skipped {peer.name}: {reason}", flush=True)
    for kind in ("bars", "quotes"):
        data = str(ensure(BENCH / "data", kind, ROWS))
        running = {name: engine for name, engine in engines.items() if kind in engine[2]}
        samples: dict[str, list[dict[str, Any]]] = {name: [] for name in running}
        for _ in range(rounds):
            for name, (python, module, _kinds) in running.items():
                samples[name].append(script(python, module, "--kind", kind, "--data", data))
        yield from rows_of(kind, samples)


def rows_of(kind: str, samples: dict[str, list[dict[str, Any]]]) -> Iterator[Row]:
    """Yield a row for each peer, or one of ours alone when there is none."""
    rates = {name: middle(runs, "events") / middle(runs, "cpu_seconds") for name, runs in samples.items()}
    detail = _detail(samples[OURS])
    peers = [name for name in samples if name != OURS]
    if not peers:
        yield alone(f"ema-cross/{kind}", rates[OURS], UNIT, **detail)
    for name in peers:
        theirs = samples[name][-1]
        same_work = abs(theirs["orders"] - detail["orders"]) <= TOLERANCE * detail["orders"]
        if not same_work:
            print(
                f"# {name} sent {theirs['orders']} orders, lanner {detail['orders']}: not the same work",
                flush=True,
            )
        yield Row(
            name=f"ema-cross/{kind}/{name}",
            ours=significant(rates[OURS]),
            peer=significant(rates[name]),
            peer_version=theirs["version"],
            ratio=significant(rates[OURS] / rates[name], 3),
            unit=UNIT,
            detail={
                **detail,
                "ratio_engine_only": significant(detail["engine_only"] / rates[name], 3),
                "peer_orders": theirs["orders"],
                "peer_fills": theirs["fills"],
                "same_work": same_work,
            },
        )


def _detail(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what our runs did, and their rate without making objects of the data, as the peers are measured."""
    last = runs[-1]
    seconds = middle(runs, "cpu_seconds") - middle(runs, "reading_seconds")
    shown = {key: last[key] for key in ("version", "events", "orders", "fills")}
    return {**shown, "engine_only": significant(last["events"] / seconds)}
