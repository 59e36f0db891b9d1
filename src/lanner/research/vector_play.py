"""Play columns through the kernels: one instrument by itself, or several with one account."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lanner.core.errors import LannerError
from lanner.research.market import Floats, Ints, Market
from lanner.research.simulate import (
    LOG_ROWS,
    QUEUE,
    Protection,
    Record,
    Records,
    Simulator,
    check_fault,
    make_rules,
)
from lanner.research.vector_arrays import Bools, Table, column, full_column
from lanner.research.vector_input import Setup

EXITS = ("stop", "take", "trail", "stop_px", "take_px")
SIZE_TYPES = ("fraction", "units", "value", "weight", "risk")
WEIGHTS, SIGNALS, ORDERS = 0, 1, 2  # the kernels' numbers


@dataclass(slots=True)
class Asked:
    """What is asked for, in tables [bars or 1, columns or 1] by instrument; ``actions`` are the signals in bytes."""

    mode: int
    columns: int
    weights: dict[str, Floats] = field(default_factory=dict)
    signals: dict[str, list[Bools | None]] = field(default_factory=dict)
    sizes: dict[str, Floats] = field(default_factory=dict)
    exits: dict[str, dict[str, Table]] = field(default_factory=dict)
    protection: Protection = field(default_factory=Protection)
    size_type: int = 0
    accumulate: bool = False
    cooldown: int = 0
    max_positions: int = 0
    allow_short: bool = False
    scale: float = 1.0

    def actions(self, name: str, number: int, bars: int) -> NDArray[np.uint8]:
        """Return the signals of an instrument's column, one byte a bar."""
        from lanner.kernels.group_signals import ORDER

        if self.mode == ORDERS:
            qty = full_column(self.sizes[name], number, bars)
            return np.where((qty == qty) & (qty != 0.0), np.uint8(ORDER), np.uint8(0))
        acts = np.zeros(bars, np.uint8)
        for bit, table in enumerate(self.signals[name]):
            if table is not None:
                one = table[:, number if table.shape[1] > 1 else 0]
                acts |= one.astype(np.uint8) << np.uint8(bit)
        return acts


@dataclass(slots=True)
class Played:
    """What one column of one account led to; logs count their own instrument's bars, and are empty unless asked for."""

    books: dict[str, Record]
    orders: dict[str, Records]
    fills: dict[str, Records]
    equity: Floats


@dataclass(slots=True)
class Schedule:
    """When the bars of several instruments open and close, over arrays in which they lie one behind the other."""

    base: dict[str, int]
    who: Ints
    rows: Ints
    batches: Ints
    ts: Ints
    ticks: Ints
    close: Floats
    volume: Ints

    @classmethod
    def of(cls, markets: dict[str, Market]) -> Schedule:
        """Put closings and openings in the event engine's order: time, closings first, then the given order."""
        whos, rows, times, opens = [], [], [], []
        base: dict[str, int] = {}
        start = 0
        for number, (name, market) in enumerate(markets.items()):
            base[name] = start
            for ts, side in ((market.ts, 0), (market.columns["ts_open"], 1)):
                whos.append(np.full(len(market), number))
                rows.append(np.arange(start, start + len(market)))
                times.append(ts)
                opens.append(np.full(len(market), side))
            start += len(market)
        who, row, time, kind = (np.concatenate(part) for part in (whos, rows, times, opens))
        order = np.lexsort((who, kind, time))
        who, row, time, kind = who[order], row[order], time[order], kind[order]
        first = np.flatnonzero(np.r_[True, (time[1:] != time[:-1]) | (kind[1:] != kind[:-1])])
        batches = np.where(kind[first] == 1, -1 - first, first)
        return cls(
            base,
            who.astype(np.int64),
            row.astype(np.int64),
            np.r_[batches, len(who)].astype(np.int64),
            time[first[kind[first] == 0]],
            np.concatenate([market.ticks for market in markets.values()]),
            np.concatenate([market.close for market in markets.values()]),
            np.concatenate([market.volume_lots for market in markets.values()]),
        )


class Account:
    """One account and what it may trade; ``play`` it column by column."""

    def __init__(self, setup: Setup, names: list[str], asked: Asked) -> None:
        self.setup, self.asked = setup, asked
        self.markets = {name: setup.markets[name] for name in names}
        share = asked.scale if asked.mode == WEIGHTS else 1.0
        self._rules = [
            make_rules(
                market.instrument,
                setup.venue(name),
                Decimal(setup.capital),
                share=share,
                allow_short=asked.allow_short,
                protection=asked.protection,
            )
            for name, market in self.markets.items()
        ]
        self._schedule = Schedule.of(self.markets) if len(names) > 1 else None
        self._simulator: Simulator | None = None

    @property
    def ts(self) -> Ints:
        """Return the closing times at which there is a value of the account."""
        if self._schedule is not None:
            return self._schedule.ts
        return next(iter(self.markets.values())).ts

    def play(self, number: int, *, log: bool = False, equity: bool = True) -> Played:
        """Play one column."""
        if self._schedule is not None:
            return self._grown(lambda rows: self._group(number, rows, equity), log)
        if self.asked.mode == WEIGHTS:
            return self._weights(number, log, equity)
        return self._grown(lambda rows: self._signals(number, rows, equity), log)

    def _grown(self, play: Any, log: bool) -> Played:
        """Play with logs that are large enough."""
        from lanner.kernels.account import NO_ROOM

        rows = LOG_ROWS if log else 0
        while True:
            made: Played = play(rows)
            faults = {name: int(book["fault"]) for name, book in made.books.items()}
            if not any(fault & NO_ROOM for fault in faults.values()):
                for name, fault in faults.items():
                    check_fault(fault, self.markets[name])
                return made
            rows = int(max(max(book["orders"], book["fills"]) for book in made.books.values())) + 1

    # -- one instrument ----------------------------------------------------------------------------

    def _weights(self, number: int, log: bool, equity: bool) -> Played:
        ((name, market),) = self.markets.items()
        if self._simulator is None:
            self._simulator = Simulator(market, self._rules[0])
        weights = full_column(self.asked.weights[name], number, len(market))
        made = self._simulator.run(weights, log=log, equity=equity, sums=0)
        return Played({name: made.book}, {name: made.orders}, {name: made.fills}, made.equity)

    def _signals(self, number: int, rows: int, equity: bool) -> Played:
        from lanner.kernels.curve import CURVE, PIECE
        from lanner.research.plain import PlainPlayer

        asked = self.asked
        ((name, market),) = self.markets.items()
        books, queues, orders, fills = _memory(1, rows)
        rules, curve = np.array([self._rules[0]]), np.zeros(1, CURVE)
        none = (np.zeros((0, 3)), np.zeros(0, np.int64))
        out = np.empty(len(market) if equity else 0)
        left = 0
        if not rows and self._whole_positions(name):
            signals = [
                t[:, number if t.shape[1] > 1 else 0] if t is not None else t for t in asked.signals[name]
            ]
            left = PlainPlayer(market, rules[0]).entries(
                books[0], queues[0], curve[0], none[0], signals, float(self._sizes(name, number)[0]), out
            )
        if left < len(market):
            from lanner.kernels.group_signals import play_signals

            acts = asked.actions(name, number, len(market))
            words = acts[: len(acts) // 8 * 8].view(np.int64)
            funding = market.funding
            play_signals(
                rules[0], self._play(), books[0], queues[0], orders[0], fills[0], curve[0], none, left,
                market.ticks, market.close, market.volume_lots, acts, words, self._sizes(name, number),
                self._exits(name, number), funding.bar, funding.at_end, funding.rate, out, np.zeros((2, PIECE + 1)),
            )  # fmt: skip
        book = books[0]
        return Played(
            {name: book}, {name: orders[0][: book["orders"]]}, {name: fills[0][: book["fills"]]}, out
        )

    def _whole_positions(self, name: str) -> bool:
        """Tell whether entries and exits alone decide, each of one share of what the account has."""
        asked, market = self.asked, self.markets[name]
        share = asked.size_type == SIZE_TYPES.index("fraction")
        if asked.size_type == SIZE_TYPES.index("weight"):
            # on spot the free money and the equity differ in their last digits
            share = not market.instrument.is_spot
        return (
            asked.mode == SIGNALS and share and not (asked.accumulate or asked.cooldown or asked.exits)
            and len(asked.sizes[name]) == 1
            and all(table is None or len(table) == len(market) for table in asked.signals[name])
        )  # fmt: skip

    def _sizes(self, name: str, number: int) -> Floats:
        return column(self.asked.sizes[name], number)

    def _exits(self, name: str, number: int) -> tuple[Floats, ...]:
        own = self.asked.exits.get(name, {})
        return tuple(column(own[key], number) if key in own else np.zeros(0) for key in EXITS)

    # -- several instruments -----------------------------------------------------------------------

    def _group(self, number: int, rows: int, equity: bool) -> Played:
        from lanner.kernels.group import play_group

        schedule = self._schedule
        assert schedule is not None
        asked, names = self.asked, list(self.markets)
        books, queues, orders, fills = _memory(len(names), rows)
        rules = np.array(self._rules)
        rules["exact"] = rules["exact"].min()
        weights, sizes, acts = np.zeros(0), np.zeros(1), np.zeros(0, np.uint8)
        if asked.mode == WEIGHTS:
            weights = self._joined(asked.weights, number)
        else:
            sizes = self._joined(asked.sizes, number)
            acts = np.concatenate([asked.actions(name, number, len(self.markets[name])) for name in names])
        exits = tuple(
            self._joined({name: asked.exits[name][key] for name in names}, number)
            if asked.exits and key in asked.exits[names[0]]
            else np.zeros(0)
            for key in EXITS
        )
        funding, paid = self._funding()
        out = np.zeros(len(schedule.ts) if equity else 0)
        play_group(
            rules, self._play(), books, queues, orders, fills, schedule.who, schedule.rows, schedule.batches,
            schedule.ticks, schedule.close, schedule.volume, weights, acts, sizes, exits, funding, paid, out,
        )  # fmt: skip
        made = Played({}, {}, {}, out)
        for k, name in enumerate(names):
            made.books[name] = books[k]
            made.orders[name] = _own_bars(orders[k][: books[k]["orders"]], schedule.base[name], "end_bar")
            made.fills[name] = _own_bars(fills[k][: books[k]["fills"]], schedule.base[name])
        return made

    def _joined(self, tables: dict[str, Table], number: int) -> Floats:
        """Return the instruments' columns behind one another."""
        return np.concatenate(
            [full_column(tables[name], number, len(market)) for name, market in self.markets.items()]
        )

    def _funding(self) -> tuple[tuple[Ints, Ints, Floats], Ints]:
        assert self._schedule is not None
        parts = [market.funding for market in self.markets.values()]
        ends = np.cumsum([len(part.bar) for part in parts])
        bars = [part.bar + self._schedule.base[name] for part, name in zip(parts, self.markets, strict=True)]
        columns = (
            np.concatenate(bars),
            np.concatenate([part.at_end for part in parts]),
            np.concatenate([part.rate for part in parts]),
        )
        return columns, np.stack([np.r_[0, ends[:-1]], ends], axis=1).astype(np.int64)

    def _play(self) -> Record:
        from lanner.kernels.group_signals import PLAY

        asked = self.asked
        play = np.zeros(1, PLAY)
        play["mode"], play["size_type"] = asked.mode, asked.size_type
        play["accumulate"], play["cooldown"] = asked.accumulate, asked.cooldown
        play["max_positions"] = asked.max_positions
        play["capital"] = float(self.setup.capital)
        play["capital_quanta"] = self._rules[0]["capital_quanta"]
        return play[0]


def _memory(count: int, rows: int) -> tuple[Records, Records, Records, Records]:
    """Return fresh books, queues and logs for so many instruments."""
    from lanner.kernels.account import BOOK, ENTRY, FILL, ORDER

    books = np.zeros(count, BOOK)
    for name in ("stop_order", "take_order", "trail_order"):
        books[name] = -1
    return (
        books,
        np.zeros((count, QUEUE), ENTRY),
        np.zeros((count, rows), ORDER),
        np.zeros((count, rows), FILL),
    )


def _own_bars(log: Records, base: int, *more: str) -> Records:
    """Count bars from an instrument's own first one."""
    log["bar"] -= base
    for name in more:
        log[name] = np.where(log[name] >= 0, log[name] - base, log[name])
    return log


def check_one_purse(setup: Setup) -> None:
    """Refuse an account of spot and perpetuals together, whose money counts in two ways."""
    kinds = {market.instrument.is_spot for market in setup.markets.values()}
    if len(kinds) > 1:
        raise LannerError(
            "spot and perpetuals cannot share an account in array backtests",
            expected="one kind",
            fix="Say share_cash=False, or use the event engine (lanner backtest).",
        )
