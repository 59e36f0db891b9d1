"""Market messages as Binance spot sends them, made from a seed (standard library only: every peer reads the same).

Prices wander a tick at a time and books move around them; quantities are never the same twice. A message is the text
inside a combined stream: `{"stream":"btcusdt@bookTicker","data":{…}}`.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

SYMBOLS = (("BTCUSDT", 6_712_345, 2, 5), ("ETHUSDT", 341_207, 2, 4), ("SOLUSDT", 16_418, 2, 3))
"""Symbol, first price in ticks, decimals of prices, decimals of quantities."""
LEVELS = 20


def _text(units: int, decimals: int, width: int = 8) -> str:
    """Write a number as the venue does, with eight decimals."""
    whole, part = divmod(units, 10**decimals)
    return f"{whole}.{part:0{decimals}d}".ljust(len(str(whole)) + 1 + width, "0")


class Walk:
    """The markets, moving."""

    def __init__(self, seed: int = 11) -> None:
        self._rng = random.Random(seed)
        self._px = [px for _, px, _, _ in SYMBOLS]
        self._number = 40_000_000_000

    def _move(self, which: int) -> int:
        self._px[which] += self._rng.choice((-2, -1, -1, 0, 0, 0, 1, 1, 2))
        return self._px[which]

    def _qty(self, decimals: int) -> str:
        return _text(int(self._rng.lognormvariate(0.0, 1.2) * 10**decimals) + 1, decimals)

    def ticker(self, which: int, stamp: str = "") -> bytes:
        """Return a bookTicker; `stamp` is put where the update number stands."""
        symbol, _, decimals, lots = SYMBOLS[which]
        px = self._move(which)
        self._number += self._rng.randint(1, 9)
        bid, ask = _text(px, decimals), _text(px + 1, decimals)
        return (
            f'{{"stream":"{symbol.lower()}@bookTicker","data":{{"u":{stamp or self._number},"s":"{symbol}",'
            f'"b":"{bid}","B":"{self._qty(lots)}","a":"{ask}","A":"{self._qty(lots)}"}}}}'
        ).encode()

    def depth(self, which: int) -> bytes:
        """Return a partial book of 20 levels a side."""
        symbol, _, decimals, lots = SYMBOLS[which]
        px = self._move(which)
        self._number += self._rng.randint(1, 40)
        sides = []
        for step, best in ((-1, px), (1, px + 1)):
            ticks, levels = best, []
            for _ in range(LEVELS):
                levels.append(f'["{_text(ticks, decimals)}","{self._qty(lots)}"]')
                ticks += step * self._rng.choice((1, 1, 1, 2, 3, 5))
            sides.append(",".join(levels))
        return (
            f'{{"stream":"{symbol.lower()}@depth20@100ms","data":{{"lastUpdateId":{self._number},'
            f'"bids":[{sides[0]}],"asks":[{sides[1]}]}}}}'
        ).encode()

    def diff(self, which: int, last: int) -> tuple[bytes, int]:
        """Return a depthUpdate that follows update number `last`, with 20 levels a side, and its own number."""
        symbol, first, decimals, lots = SYMBOLS[which]
        number = last + self._rng.randint(1, 40)
        sides = []
        for step, best in ((-1, first), (1, first + 1)):
            levels = []
            for place in sorted(self._rng.sample(range(2 * LEVELS), LEVELS)):
                qty = self._qty(lots) if self._rng.random() < 0.9 else _text(0, lots)
                levels.append(f'["{_text(best + step * place, decimals)}","{qty}"]')
            sides.append(",".join(levels))
        text = (
            f'{{"stream":"{symbol.lower()}@depth@100ms","data":{{"e":"depthUpdate","E":1700000000000,"s":"{symbol}",'
            f'"U":{last + 1},"u":{number},"b":[{sides[0]}],"a":[{sides[1]}]}}}}'
        )
        return text.encode(), number

    def snapshot(self, which: int, last: int) -> bytes:
        """Return the whole book over HTTP as of update number `last`."""
        _, first, decimals, lots = SYMBOLS[which]
        sides = [
            ",".join(
                f'["{_text(best + step * place, decimals)}","{self._qty(lots)}"]'
                for place in range(2 * LEVELS)
            )
            for step, best in ((-1, first), (1, first + 1))
        ]
        return f'{{"lastUpdateId":{last},"bids":[{sides[0]}],"asks":[{sides[1]}]}}'.encode()


def messages(kind: str, count: int, seed: int = 11) -> Iterator[bytes]:
    """Yield bookTickers (`ticker`) or partial books (`depth`) of all symbols, in turn at random."""
    walk, rng = Walk(seed), random.Random(seed + 1)
    for _ in range(count):
        which = rng.randrange(len(SYMBOLS))
        yield walk.ticker(which) if kind == "ticker" else walk.depth(which)
