"""What happens in one run, all of it drawn from one seed: venue, strategy, market, faults, crashes, the kill switch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from lanner.core.errors import ConfigError
from lanner.core.rng import Rng
from lanner.drill.builtin import BOOK_READER, BUILTIN, PROTECTED
from lanner.drill.dice import MAKERS, Dice
from lanner.simulator.faults import FAULTS, parse_fault
from lanner.venues.registry import PRODUCTS

INSTRUMENTS = {
    "binance-spot": ("BTC-USDT.BINANCE", "ETH-USDT.BINANCE"),
    "binance-usdm": ("BTCUSDT-PERP.BINANCE", "ETHUSDT-PERP.BINANCE"),
    "hyperliquid": ("BTC-PERP.HYPERLIQUID", "ETH-PERP.HYPERLIQUID"),
}
ENGINE_FAULTS = ("crash", "kill", "disk-full", "watchdog")
"""What befalls the engine itself: it dies at a write of its journal and is started again, or is ended from outside by
its watchdog; its kill switch is pulled; its journal takes nothing for a while."""


RECORDS = 120.0
"""About so far into its journal the engine dies: the mean of an exponential distribution."""
RECORDS_PER_S = 4.0
SPARSE = 1.5
"""Seconds for each second of bars that are needed: in some nothing is traded, and there is no bar."""
BARS_LONGER = 5.0
"""So much longer than others those run that decide once a bar."""
BOOK_FAULTS = frozenset({"sequence-gap", "stale-snapshot"})


class Crash(msgspec.Struct, frozen=True):
    """The engine dies at the ``write``-th record of its journal: before it, after it, or in the middle of it."""

    write: int
    how: str
    away_s: float


class DiskFull(msgspec.Struct, frozen=True):
    """The journal takes nothing from its ``write``-th record on, for so many seconds."""

    write: int
    for_s: float


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """One run."""

    seed: int
    product: str
    strategy: str
    params: dict[str, object]
    instruments: tuple[str, ...]
    timeframe: str
    trade_s: float
    latency_s: float
    rate: float
    vol: float
    faults: tuple[tuple[str, dict[str, str]], ...]
    crashes: tuple[Crash, ...]
    kill_s: float | None
    disk: DiskFull | None
    watchdog: bool
    """The first crash is not followed by another start: the watchdog ends the session."""
    reconcile_s: float
    paper: bool = False
    stops: Literal["venue", "engine"] = "venue"
    """Who keeps the stops of positions, as ``risk.stops`` says it."""
    keeps: tuple[int, float] | None = None
    """How many ended orders the session keeps in memory, and for how many seconds at least; None: as settings are."""

    def told(self) -> str:
        """Return the run in a line, for people."""
        parts = [f"{name}({','.join(f'{k}={v}' for k, v in params.items())})" for name, params in self.faults]
        parts += [f"crash({one.how} record {one.write}, away {one.away_s:.1f} s)" for one in self.crashes]
        if self.kill_s is not None:
            parts.append(f"kill({self.kill_s:.1f} s)")
        if self.disk is not None:
            parts.append(f"disk-full(record {self.disk.write}, {self.disk.for_s:.1f} s)")
        if self.watchdog:
            parts.append("watchdog")
        where = f"paper {self.product}" if self.paper else self.product
        strategy = self.strategy if self.stops == "venue" else f"{self.strategy} (stops: {self.stops})"
        if self.keeps is not None:
            strategy = f"{strategy} (keeps {self.keeps[0]} orders, {self.keeps[1]:.0f} s)"
        return f"{where} {strategy} {self.trade_s:.0f} s: {' '.join(parts) or 'no fault'}"


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """What a campaign leaves open to chance and what it does not; empty means anything."""

    products: tuple[str, ...] = ()
    strategy: str = ""
    params: dict[str, object] = {}
    instruments: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    """Names to draw from, or NAME:key=value,… to have exactly that; ``none`` for a calm venue."""
    seconds: float = 0.0
    paper: bool = False
    timeframe: str = ""
    """Of the bars that the strategy asks for without naming one; empty: its own."""
    warm_s: float | None = None
    """So long the strategy takes in bars before it may trade; None for one that works without bars."""

    def check(self) -> None:
        """Raise ``ConfigError`` for what does not exist."""
        for name in self.products:
            if name not in PRODUCTS:
                raise ConfigError("no such product", expected=", ".join(PRODUCTS), found=name)
        for text in self.faults:
            name, _ = parse_fault(text)
            if name not in (*FAULTS, *ENGINE_FAULTS, "none"):
                raise ConfigError(
                    "no such fault", expected=", ".join((*FAULTS, *ENGINE_FAULTS, "none")), found=name
                )


def draw(seed: int, wishes: Wishes) -> Scenario:
    """Return the run of a seed; the same seed and wishes give the same run."""
    rng = Rng(seed).split("drill")
    product = Dice(rng.split("product"), 0.0).one(wishes.products or PRODUCTS)
    names = _names(rng.split("names"), wishes.faults)
    what = rng.split("strategy")
    strategy, params = wishes.strategy, dict(wishes.params)
    if not strategy:
        # What only befalls books is worth drawing for a strategy that reads them.
        strategy = BOOK_READER if BOOK_FAULTS & set(names) else Dice(what, 0.0).one(tuple(BUILTIN))
        params = BUILTIN[strategy](what) if strategy in BUILTIN else {}
    elif not params and strategy in PROTECTED:
        params = PROTECTED[strategy](what)
    several = what.random() < 0.25 and not wishes.instruments
    instruments = wishes.instruments or INSTRUMENTS[product][: 2 if several else 1]
    times = rng.split("times")
    trade_s = wishes.seconds or _length(times)
    if not wishes.seconds and wishes.warm_s is not None:
        trade_s = SPARSE * wishes.warm_s + BARS_LONGER * trade_s
    given = {parse_fault(text)[0]: parse_fault(text)[1] for text in wishes.faults if ":" in text}
    faults = []
    for number, name in enumerate(names):
        own = rng.split(f"fault/{number}")
        if name in FAULTS:
            faults.append((name, given.get(name) or MAKERS[name](Dice(own, trade_s))))
    return Scenario(
        seed=seed,
        product=product,
        strategy=strategy,
        params=params,
        instruments=tuple(instruments),
        timeframe=wishes.timeframe,
        trade_s=trade_s,
        latency_s=0.0002 * 100 ** times.random(),
        rate=(3.0 + 9.0 * times.random()) * len(instruments),
        vol=0.3 + 1.5 * times.random(),
        faults=tuple(faults),
        crashes=_crashes(
            rng.split("crash"),
            max(names.count("crash"), names.count("watchdog")),
            given.get("crash"),
            RECORDS if wishes.warm_s is None else RECORDS_PER_S * trade_s,
        ),
        kill_s=trade_s * (0.2 + 0.7 * rng.split("kill").random()) if "kill" in names else None,
        disk=_disk(rng.split("disk"), given.get("disk-full")) if "disk-full" in names else None,
        watchdog="watchdog" in names and not wishes.paper,
        paper=wishes.paper,
        stops="engine" if strategy in PROTECTED and rng.split("stops").random() < 0.3 else "venue",
        reconcile_s=10.0 + 20.0 * times.random(),
        keeps=_keeps(rng.split("keeps")),
    )


def _keeps(rng: Rng) -> tuple[int, float] | None:
    """Half the sessions forget their ended orders as soon as they may."""
    if rng.random() < 0.5:
        return None
    dice = Dice(rng, 0.0)
    return int(float(dice.number(1, 20))), float(dice.number(1, 20))


def _length(rng: Rng) -> float:
    """Mostly a short while; now and then a long one."""
    chance = rng.random()
    if chance < 0.01:
        return 600.0
    return 12.0 + (48.0 if chance < 0.15 else 20.0) * rng.random()


def _names(rng: Rng, wanted: Sequence[str]) -> list[str]:
    if list(wanted) == ["none"]:
        return []
    exact = [parse_fault(text)[0] for text in wanted if ":" in text]
    pool = [text for text in wanted if ":" not in text and text != "none"]
    if not wanted:
        pool = [*FAULTS, "crash", *ENGINE_FAULTS]
    if not pool:
        return exact
    count = 1 + int(Dice(rng, 0.0).waiting(2.0))
    return exact + [Dice(rng, 0.0).one(pool) for _ in range(min(count, 7))]


def _crashes(rng: Rng, count: int, given: dict[str, str] | None, mean: float) -> tuple[Crash, ...]:
    given = given or {}
    dice, made = Dice(rng, 0.0), []
    for _ in range(min(count, 3)):
        write = int(given.get("write", 0)) or 1 + int(dice.waiting(mean))
        how = given.get("how") or dice.one(("before", "after", "torn"))
        made.append(Crash(write, how, float(given.get("away", 0)) or 0.2 + 12.0 * rng.random() ** 2))
    return tuple(made)


def _disk(rng: Rng, given: dict[str, str] | None) -> DiskFull:
    given, dice = given or {}, Dice(rng, 0.0)
    write = int(given.get("write", 0)) or 1 + int(dice.waiting(RECORDS))
    return DiskFull(write, float(given.get("for", 0)) or 0.5 + 20.0 * rng.random() ** 2)
