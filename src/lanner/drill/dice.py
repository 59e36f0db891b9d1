"""What draws the parameters of faults."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import log
from typing import TypeVar

from lanner.core.rng import Rng

T = TypeVar("T")


class Dice:
    """Draw from one stream; ``trade_s`` is the length of the run that moments are drawn from."""

    def __init__(self, rng: Rng, trade_s: float) -> None:
        self._rng = rng
        self._trade_s = trade_s

    def random(self) -> float:
        """Draw from [0, 1)."""
        return self._rng.random()

    def one(self, choices: Sequence[T]) -> T:
        """Draw one of several."""
        return choices[self._rng.integer(0, len(choices))]

    def waiting(self, mean: float) -> float:
        """Draw from an exponential distribution."""
        return -mean * log(1.0 - self._rng.random())

    def number(self, low: float, high: float) -> str:
        """Draw a number whose logarithm is uniform."""
        return f"{low * (high / low) ** self._rng.random():.3g}"

    def moment(self) -> str:
        """Draw a second of the run, neither its first nor its last."""
        return f"{self._trade_s * (0.1 + 0.8 * self._rng.random()):.2f}"

    def p(self, low: float = 0.02, high: float = 0.4) -> dict[str, str]:
        """Draw how often a fault strikes."""
        return {"p": self.number(low, high)}

    def aimed(self, *kinds: str) -> dict[str, str]:
        """Draw what a fault strikes."""
        return {"kind": self.one(kinds)}


_FRAMES = ("user", "book+quote+trade", "user+book+quote+trade+market", "control")
_ASKED = ("order", "cancel", "amend", "order+cancel+amend")

Maker = Callable[[Dice], dict[str, str]]

MAKERS: dict[str, Maker] = {
    "latency": lambda d: {
        "dist": d.one(("fixed", "uniform", "lognormal", "exponential")),
        "ms": (ms := d.number(5, 800)),
        "spread": f"{float(ms) * 0.8:.3g}",
        **d.p(0.1, 1.0),
    },
    "drop": lambda d: {**d.p(), **d.aimed(*_FRAMES)},
    "duplicate": lambda d: {**d.p(0.05, 1.0), **d.aimed(*_FRAMES)},
    "reorder": lambda d: {**d.p(), **d.aimed(*_FRAMES)},
    "garble": lambda d: {**d.p(0.005, 0.1), **d.aimed(*_FRAMES, "read", "order")},
    "sequence-gap": lambda d: d.p(0.01, 0.2),
    "late-user-events": lambda d: {"ms": d.number(50, 4000), **d.p(0.1, 1.0)},
    "stall": lambda d: {"at": d.moment(), "for": d.number(1, 60)},
    "close": lambda d: (
        {"code": d.one(("1000", "1001", "1006", "1011")), "at": d.moment()}
        if d.random() < 0.5
        else {"code": "1006", "p": d.number(0.001, 0.03)}
    ),
    "half-open": lambda d: {"at": d.moment()},
    "rate-limit": lambda d: {**d.p(0.05, 0.5), "retry": d.number(1, 5)},
    "ban": lambda d: {"at": d.moment(), "count": "1", "retry": d.number(1, 10)},
    "server-error": lambda d: {**d.p(0.05, 0.5), "status": d.one(("500", "502", "503", "504"))},
    "lose-request": lambda d: d.p(0.02, 0.3),
    "lose-answer": lambda d: {**d.p(0.05, 0.6), **d.aimed(*_ASKED, "read")},
    "answer-twice": lambda d: {**d.p(0.1, 1.0), **d.aimed(*_ASKED)},
    "error-after-accept": lambda d: {
        **d.p(0.05, 0.6),
        **d.aimed(*_ASKED),
        "status": d.one(("500", "503", "504")),
    },
    "fill-before-ack": lambda d: {**d.p(0.1, 1.0), "ms": d.number(10, 2000)},
    "partial-fill": lambda d: {**d.p(0.1, 1.0), "share": f"{0.1 + 0.8 * d.random():.2f}"},
    "fill-after-cancel": lambda d: {**d.p(0.1, 1.0), "share": f"{0.1 + 0.9 * d.random():.2f}"},
    "refuse-connect": lambda d: {"at": d.moment(), "for": d.number(1, 30)},
    "clock-skew": lambda d: {
        "at": d.moment(),
        "ms": f"{(1 if d.random() < 0.5 else -1) * float(d.number(100, 20000)):.0f}",
        "for": d.number(2, 20),
    },
    "maintenance": lambda d: {"at": d.moment(), "for": d.number(1, 25)},
    "listen-key-expiry": lambda d: {"at": d.moment()},
    "stale-snapshot": lambda d: {"at": d.moment(), "by": d.number(5, 100)},
    "step-size": lambda d: {"at": d.moment(), "factor": d.one(("10", "100"))},
}
"""What draws a fault's parameters, from a stream of its own."""
