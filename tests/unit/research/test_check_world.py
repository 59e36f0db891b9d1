"""The invented market of a check: what is cut off, and a future that never happened."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import polars as pl

from lanner.research.probes_world import World, synthetic_ticks


def changes(frame: pl.DataFrame) -> list[list[dict[str, Any]]]:
    """Return the rows of an order book by the change that they belong to."""
    return [list(rows) for _, rows in groupby(frame.iter_rows(named=True), key=lambda row: row["seq"])]


def best(frame: pl.DataFrame) -> list[tuple[float, float]]:
    """Return the best bid and ask after each change."""
    sides: dict[int, dict[float, float]] = {1: {}, -1: {}}
    found = []
    for rows in changes(frame):
        for row in rows:
            if row["snapshot"] and row is rows[0]:
                sides = {1: {}, -1: {}}
            if row["qty"]:
                sides[row["side"]][row["px"]] = row["qty"]
            else:
                sides[row["side"]].pop(row["px"], None)
        found.append((max(sides[1]), min(sides[-1])))
    return found


def book(world: World) -> pl.DataFrame:
    return world.frames[world.main]


def test_a_change_of_an_order_book_counts_once() -> None:
    world = synthetic_ticks("1m", count=200, book=True)
    assert len(changes(book(world))) == 200 < book(world).height
    assert len(world.ts) == len(world.played) == 200
    assert world.title == "200 synthetic changes of an order book with trades (seed 7)"


def test_what_is_known_of_a_book_is_whole_changes() -> None:
    world = synthetic_ticks("1m", count=200, book=True)
    ts = int(world.ts[120])
    known = world.cut(ts)[world.main]
    assert changes(known) == changes(book(world))[: len(changes(known))]
    assert known["ts_event"][-1] <= ts < book(world)["ts_event"][-1]


def test_a_wild_future_of_a_book_has_other_quantities_and_its_sides_never_meet() -> None:
    world = synthetic_ticks("1m", count=200, book=True)
    ts = int(world.ts[120])
    wild = world.corrupted(ts, seed=1)[world.main]
    real = book(world).head(wild.height)
    assert wild["px"].to_list() == real["px"].to_list()
    assert wild["qty"].to_list() != real["qty"].to_list()
    assert ((wild["qty"] == 0) == (real["qty"] == 0)).all()
    assert all(bid < ask for bid, ask in best(wild))
