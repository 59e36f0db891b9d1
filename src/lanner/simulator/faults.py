"""Faults on order: which go wrong, when, how often; drawn from a seed, logged, and repeatable from the log.

A rule waits at one point of the road (a request, an answer, a frame, a moment). Each time the point is passed by
something it is aimed at, the rule may act: after the first ``after`` passes, with probability ``p``, at most
``count`` times. Every act is a line of the log with the number of the pass, so that a run can be repeated by
``Replay`` without drawing anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any

import msgspec

from lanner.core.errors import ConfigError
from lanner.core.rng import Rng
from lanner.simulator.dialect import Kind

SECOND = 10**9


class Point(StrEnum):
    """Where on the road a fault acts."""

    REQUEST = "request"
    """An HTTP request or WebSocket call has come and nothing has happened yet."""
    ANSWER = "answer"
    """The venue has done what was asked; the answer is to be sent."""
    FRAME = "frame"
    """Something other than an answer is to be sent to a WebSocket."""
    ORDER = "order"
    """An order rests on the book, or was cancelled."""
    MOMENT = "moment"
    """Nothing in particular: a time has come."""


class FaultSpec(msgspec.Struct, frozen=True):
    """What a fault does and which parameters it has beside the common ones."""

    point: Point
    summary: str
    defaults: Mapping[str, str] = {}


_ANSWERS = "order,cancel,amend,read,control,other"
FAULTS: dict[str, FaultSpec] = {
    "latency": FaultSpec(
        Point.FRAME,
        "delay frames and answers; dist=fixed|uniform|normal|lognormal|exponential, ms=mean, spread=ms",
        {"dist": "fixed", "ms": "50", "spread": "0"},
    ),
    "drop": FaultSpec(Point.FRAME, "do not send a frame"),
    "duplicate": FaultSpec(Point.FRAME, "send a frame twice"),
    "reorder": FaultSpec(Point.FRAME, "send a frame after the next one"),
    "garble": FaultSpec(Point.FRAME, "cut or spoil the text of a frame"),
    "sequence-gap": FaultSpec(Point.FRAME, "lose book deltas", {"kind": "book"}),
    "late-user-events": FaultSpec(Point.FRAME, "delay private events; ms=", {"kind": "user", "ms": "250"}),
    "stall": FaultSpec(
        Point.FRAME, "send nothing on a connection for=seconds, which stays open", {"for": "3"}
    ),
    "close": FaultSpec(Point.FRAME, "close a connection; code=1000|1001|1006|…", {"code": "1006"}),
    "half-open": FaultSpec(Point.FRAME, "never read from or write to a connection again, without closing it"),
    "rate-limit": FaultSpec(Point.REQUEST, "answer 429; retry=seconds", {"retry": "1"}),
    "ban": FaultSpec(Point.REQUEST, "answer 418; retry=seconds", {"retry": "2"}),
    "server-error": FaultSpec(Point.REQUEST, "answer status=5xx without doing anything", {"status": "500"}),
    "lose-request": FaultSpec(Point.REQUEST, "swallow a request: nothing happens and no answer comes"),
    "lose-answer": FaultSpec(Point.ANSWER, "do what was asked and never answer", {"kind": "order"}),
    "answer-twice": FaultSpec(Point.ANSWER, "send an answer twice (WebSocket)", {"kind": "order"}),
    "error-after-accept": FaultSpec(
        Point.ANSWER, "do what was asked and answer status=5xx", {"kind": "order", "status": "503"}
    ),
    "fill-before-ack": FaultSpec(
        Point.ANSWER, "send private events first and the answer ms= later", {"kind": "order", "ms": "50"}
    ),
    "partial-fill": FaultSpec(
        Point.ORDER, "fill share= of an order that comes to rest, at once", {"share": "0.5", "on": "rest"}
    ),
    "fill-after-cancel": FaultSpec(
        Point.ORDER,
        "fill share= of an order after its cancel was confirmed",
        {"share": "0.5", "on": "cancel"},
    ),
    "refuse-connect": FaultSpec(Point.MOMENT, "close the port for=seconds", {"for": "2"}),
    "clock-skew": FaultSpec(Point.MOMENT, "run the venue's clock ms= ahead, for=seconds", {"ms": "5000"}),
    "maintenance": FaultSpec(Point.MOMENT, "refuse every request for=seconds", {"for": "5"}),
    "listen-key-expiry": FaultSpec(Point.MOMENT, "end the user streams of account=", {}),
    "stale-snapshot": FaultSpec(Point.MOMENT, "answer book snapshots that are by= updates old", {"by": "50"}),
    "step-size": FaultSpec(
        Point.MOMENT, "make the lot of market= coarser by factor=", {"factor": "10", "market": ""}
    ),
}
COMMON = {"dialect", "kind", "method", "path", "p", "count", "after", "at", "for"}
AT_ONCE = ("stall", "close", "half-open")
"""Faults on connections that ``at=`` (or the control endpoint) turns on all connections at a moment."""


class Rule(msgspec.Struct, kw_only=True):
    """One fault on order."""

    name: str
    params: dict[str, str]
    number: int
    kinds: frozenset[Kind] | None = None
    p: float = 1.0
    count: int = 1 << 62
    after: int = 0
    at_ns: int = 0
    until_ns: int = 1 << 62
    passes: int = 0
    acts: int = 0
    rng: Rng = Rng(0)

    def get(self, name: str) -> str:
        """Return a parameter, as given or by default."""
        return self.params.get(name) or FAULTS[self.name].defaults.get(name, "")


class Act(msgspec.Struct, frozen=True):
    """What a fault does this time: its name and its parameters, with what was drawn."""

    name: str
    params: dict[str, str]

    def ms(self) -> float:
        """Return the delay in milliseconds."""
        return float(self.params["ms"])


class LogLine(msgspec.Struct, frozen=True, kw_only=True):
    """One act as it stands in the log; ``n`` counts the passes of (dialect, point, kind)."""

    t_ns: int
    fault: str
    dialect: str
    point: str
    kind: str
    n: int
    target: str
    params: dict[str, str]


def parse_fault(text: str) -> tuple[str, dict[str, str]]:
    """Read ``NAME:key=value,key=value`` (several kinds are joined by ``+``)."""
    name, _, rest = text.partition(":")
    params: dict[str, str] = {}
    for part in filter(None, rest.split(",")):
        key, equals, value = part.partition("=")
        if not equals:
            raise ConfigError(
                "a fault's parameter has no value", expected="NAME:key=value,key=value", found=text
            )
        params[key.strip()] = value.strip()
    return name.strip(), params


class FaultPlan:
    """All faults of a venue; ask it at each point of the road."""

    def __init__(self, seed: int = 0, *, log: Callable[[LogLine], None] | None = None) -> None:
        self._rng = Rng(seed).split("faults")
        self._rules: list[Rule] = []
        self._number = 0
        self._passes: dict[tuple[str, str, str], int] = {}
        self._log = log
        self._replay: dict[tuple[str, str, str, int], list[Act]] | None = None
        self._replay_moments: list[LogLine] = []
        self._start_ns = 0
        self.lines: list[LogLine] = []
        """The latest acts (at most 100,000)."""
        self.points: set[Point] = set()
        """Points at which any rule waits: elsewhere nobody need ask."""

    # -- what is on order ----------------------------------------------------------------------------

    @property
    def rules(self) -> list[Rule]:
        """Return the rules on order."""
        return list(self._rules)

    def start(self, now_ns: int) -> None:
        """Set the moment that ``at`` counts from."""
        self._start_ns = now_ns

    @property
    def started_ns(self) -> int:
        """Return the moment that the log's times count from."""
        return self._start_ns

    def add(self, name: str, params: Mapping[str, str], now_ns: int | None = None) -> Rule:
        """Order a fault; a wrong name or parameter raises ``ConfigError``. ``at`` counts from ``now_ns``."""
        spec = FAULTS.get(name)
        if spec is None:
            raise ConfigError("no fault of this name", expected=", ".join(FAULTS), found=name)
        known = COMMON | set(spec.defaults) | ({"account"} if name == "listen-key-expiry" else set())
        if unknown := set(params) - known:
            raise ConfigError(
                f"{name}: unknown parameter",
                expected=", ".join(sorted(known)),
                found=", ".join(sorted(unknown)),
            )
        self._number += 1
        rule = Rule(name=name, params=dict(params), number=self._number)
        try:
            self._fill(rule, spec, self._start_ns if now_ns is None else now_ns)
        except (KeyError, ValueError) as error:
            raise ConfigError(f"{name}: a parameter cannot be used", found=error) from error
        self._rules.append(rule)
        self._refresh()
        return rule

    def _fill(self, rule: Rule, spec: FaultSpec, base_ns: int) -> None:
        text = rule.get("kind")
        if text:
            rule.kinds = frozenset(Kind[one.upper()] for one in text.replace("+", " ").split())
        rule.p = float(rule.params.get("p", "1"))
        once = spec.point is Point.MOMENT or (rule.name in AT_ONCE and not {"p", "after"} & set(rule.params))
        rule.count = int(rule.params.get("count", "1" if once else str(1 << 62)))
        rule.after = int(rule.params.get("after", "0"))
        rule.at_ns = base_ns + int(float(rule.params.get("at", "0")) * SECOND)
        if "for" in rule.params and spec.point is not Point.MOMENT and rule.name != "stall":
            rule.until_ns = rule.at_ns + int(float(rule.params["for"]) * SECOND)
        for name in ("ms", "spread", "share", "retry", "status", "code", "by", "factor", "for"):
            if value := rule.get(name):
                float(value)
        rule.rng = self._rng.split(f"{rule.number}/{rule.name}")

    def remove(self, number: int = 0) -> int:
        """Take a rule back, or all of them; returns how many."""
        before = len(self._rules)
        self._rules = [rule for rule in self._rules if number and rule.number != number]
        self._refresh()
        return before - len(self._rules)

    def replay(self, lines: Iterable[LogLine]) -> None:
        """Repeat the acts of a log instead of drawing."""
        self._replay = {}
        for line in lines:
            if line.point == Point.MOMENT:
                self._replay_moments.append(line)
            else:
                key = (line.dialect, line.point, line.kind, line.n)
                self._replay.setdefault(key, []).append(Act(line.fault, line.params))
        self._refresh()

    def _refresh(self) -> None:
        self.points = {FAULTS[rule.name].point for rule in self._rules}
        if self._replay is not None:
            self.points |= {Point(key[1]) for key in self._replay} | {Point.MOMENT}
        if Point.FRAME in self.points:
            self.points.add(Point.ANSWER)

    # -- asked on the road -----------------------------------------------------------------------------

    def at(
        self,
        point: Point,
        dialect: str,
        kind: Kind,
        now_ns: int,
        target: str = "",
        *,
        method: str = "",
        path: str = "",
        on: str = "",
    ) -> list[Act]:
        """Return what goes wrong as something passes a point."""
        if point not in self.points:
            return []
        name = f"{kind.name.lower()}{'/' + on if on else ''}"
        key = (dialect, point.value, name)
        n = self._passes.get(key, 0) + 1
        self._passes[key] = n
        if self._replay is not None:
            acts = self._replay.get((*key, n), [])
        else:
            acts = [
                Act(rule.name, self._drawn(rule))
                for rule in self._rules
                if self._waits(rule, point, dialect, kind, now_ns, method, path, on) and self._strikes(rule)
            ]
        for act in acts:
            self._note(act, dialect, point, name, n, now_ns, target)
        return acts

    def _waits(
        self,
        rule: Rule,
        point: Point,
        dialect: str,
        kind: Kind,
        now_ns: int,
        method: str,
        path: str,
        on: str,
    ) -> bool:
        own = FAULTS[rule.name].point
        # frames' faults that make sense for answers too act on them when aimed at their kinds
        here = own is point or (own is Point.FRAME and point is Point.ANSWER and kind in _answers(rule))
        return (
            here
            and rule.at_ns <= now_ns < rule.until_ns
            and rule.params.get("dialect", dialect) == dialect
            and (rule.kinds is None or kind in rule.kinds or point is Point.REQUEST)
            and rule.params.get("method", method) == method
            and path.startswith(rule.params.get("path", ""))
            and (not on or rule.get("on") == on)
            and not (rule.name in AT_ONCE and not {"p", "after"} & set(rule.params))
        )

    @staticmethod
    def _strikes(rule: Rule) -> bool:
        rule.passes += 1
        if rule.acts >= rule.count or rule.passes <= rule.after:
            return False
        if rule.p < 1.0 and rule.rng.random() >= rule.p:
            return False
        rule.acts += 1
        return True

    def _drawn(self, rule: Rule) -> dict[str, str]:
        params = {**FAULTS[rule.name].defaults, **rule.params}
        if rule.name == "latency":
            params["ms"] = f"{_draw_ms(rule):.6f}"
        elif rule.name == "garble":
            params["at"] = f"{rule.rng.random():.6f}"
        return params

    def due(self, now_ns: int) -> list[Act]:
        """Return the faults whose moment has come."""
        if Point.MOMENT not in self.points and not any(rule.name in AT_ONCE for rule in self._rules):
            return []
        found: list[Act] = []
        for rule in self._rules:
            timed = FAULTS[rule.name].point is Point.MOMENT or (
                rule.name in AT_ONCE and not {"p", "after"} & set(rule.params)
            )
            if timed and self._replay is None and rule.acts < rule.count and rule.at_ns <= now_ns:
                rule.acts += 1
                found.append(Act(rule.name, self._drawn(rule)))
        while self._replay_moments and self._replay_moments[0].t_ns <= now_ns - self._start_ns:
            line = self._replay_moments.pop(0)
            found.append(Act(line.fault, line.params))
        for act in found:
            self._note(act, act.params.get("dialect", ""), Point.MOMENT, "", 0, now_ns, "")
        return found

    def _note(
        self, act: Act, dialect: str, point: Point, kind: str, n: int, now_ns: int, target: str
    ) -> None:
        line = LogLine(
            t_ns=now_ns - self._start_ns,
            fault=act.name,
            dialect=dialect,
            point=point.value,
            kind=kind,
            n=n,
            target=target,
            params=act.params,
        )
        if len(self.lines) >= 100_000:
            del self.lines[:50_000]
        self.lines.append(line)
        if self._log is not None:
            self._log(line)


_ON_ANSWERS = frozenset({"latency", "garble", "stall", "close", "half-open"})
_ANSWER_KINDS = frozenset(Kind[one.upper()] for one in _ANSWERS.split(","))


def _answers(rule: Rule) -> frozenset[Kind]:
    if rule.name not in _ON_ANSWERS:
        return frozenset() if rule.kinds is None else rule.kinds & _ANSWER_KINDS
    return _ANSWER_KINDS


def _draw_ms(rule: Rule) -> float:
    mean, spread, rng = float(rule.get("ms")), float(rule.get("spread")), rule.rng
    kind = rule.get("dist")
    if kind == "uniform":
        value = mean - spread + 2 * spread * rng.random()
    elif kind == "normal":
        value = rng.normal(mean, spread)
    elif kind == "exponential":
        value = -mean * _log(1.0 - rng.random())
    elif kind == "lognormal":
        # mean and standard deviation of the delay itself, not of its logarithm
        variance = _log(1.0 + (spread / mean) ** 2) if mean else 0.0
        value = mean * 2.718281828459045 ** (rng.normal(0.0, variance**0.5) - variance / 2)
    else:
        value = mean
    return max(0.0, value)


def _log(value: float) -> float:
    import math

    return math.log(value)


def garbled(payload: bytes, at: float) -> bytes:
    """Return a spoiled copy of a frame: cut short, or with a byte that JSON cannot have there."""
    if not payload:
        return b"{"
    where = int(at * len(payload))
    if int(at * 1e6) % 2:
        return payload[: max(1, where)]
    return payload[:where] + b"\x01" + payload[where + 1 :]


def read_log(lines: Iterable[bytes]) -> list[LogLine]:
    """Read a log of faults; a line that is none raises ``ConfigError``."""
    found = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                found.append(msgspec.json.decode(line, type=LogLine))
            except msgspec.DecodeError as error:
                raise ConfigError(f"line {number} of the fault log cannot be read", found=error) from error
    return found


def describe(rule: Rule) -> dict[str, Any]:
    """Return a rule as plain data."""
    return {
        "number": rule.number,
        "name": rule.name,
        "point": FAULTS[rule.name].point.value,
        "params": rule.params,
        "passes": rule.passes,
        "acts": rule.acts,
    }
