"""Seeded random-walk market data that every engine under test reads from the same file.

Only the standard library is used, because this module also runs inside the peers' environments. Prices are whole
ticks of 0.01 and sizes whole lots of 0.001; a file is its columns, one after the other, as little-endian int64.
"""

from __future__ import annotations

import random
from array import array
from collections.abc import Sequence
from pathlib import Path

COLUMNS = {
    "bars": ("ts", "open", "high", "low", "close", "volume"),
    "quotes": ("ts", "bid", "ask", "bid_qty", "ask_qty"),
}
TICK = 0.01
LOT = 0.001
START_NS = 1_704_067_200_000_000_000
MINUTE_NS = 60_000_000_000
FIRST_PRICE = 5_000_000
SEED = 20_240_101


def make_bars(rows: int, seed: int = SEED) -> list[array[int]]:
    """Return the columns of minute bars of a geometric walk (5 basis points a bar), stamped at their close."""
    dice = random.Random(seed)
    columns = [array("q") for _ in COLUMNS["bars"]]
    ts, last = START_NS, FIRST_PRICE
    for _ in range(rows):
        ts += MINUTE_NS
        close = max(100, round(last * (1.0 + dice.gauss(0.0, 0.0005))))
        reach = last * 0.0002
        high = max(last, close) + round(abs(dice.gauss(0.0, reach)))
        low = max(1, min(last, close) - round(abs(dice.gauss(0.0, reach))))
        row = (ts, last, high, low, close, dice.randint(50_000, 500_000))
        for column, value in zip(columns, row, strict=True):
            column.append(value)
        last = close
    return columns


def make_quotes(rows: int, seed: int = SEED) -> list[array[int]]:
    """Return the columns of top-of-book quotes, 50 to 150 ms apart, one to three ticks wide."""
    dice = random.Random(seed)
    columns = [array("q") for _ in COLUMNS["quotes"]]
    ts, bid = START_NS, FIRST_PRICE
    for _ in range(rows):
        ts += dice.randint(50, 150) * 1_000_000
        bid = max(100, bid + dice.randint(-40, 40))
        row = (ts, bid, bid + dice.randint(1, 3), dice.randint(500, 5_000), dice.randint(500, 5_000))
        for column, value in zip(columns, row, strict=True):
            column.append(value)
    return columns


def ensure(folder: Path, kind: str, rows: int) -> Path:
    """Return the file of `rows` rows of `kind`, made on first use."""
    path = folder / f"{kind}-{rows}-{SEED}.i64"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        columns = make_bars(rows) if kind == "bars" else make_quotes(rows)
        part = path.with_suffix(".part")
        part.write_bytes(b"".join(column.tobytes() for column in columns))
        part.rename(path)
    return path


def read(path: Path, kind: str) -> list[Sequence[int]]:
    """Return the columns of a file in the order of `COLUMNS[kind]`."""
    whole = array("q")
    whole.frombytes(path.read_bytes())
    width = len(COLUMNS[kind])
    rows = len(whole) // width
    return [whole[i * rows : (i + 1) * rows] for i in range(width)]
