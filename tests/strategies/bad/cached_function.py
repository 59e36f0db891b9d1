"""Caught by state: a cached function answers with what it was first asked in another run."""

import functools

import lanner as ln

LAST = {}


@functools.lru_cache(maxsize=4)
def level(day):
    return LAST.get("close", 0.0)


class Cached(ln.Strategy):
    def on_bar(self, bar):
        day = bar.ts_event // 86_400_000_000_000
        above = bar.close > level(day)
        LAST["close"] = bar.close
        self.target(0.9 if above else 0)
