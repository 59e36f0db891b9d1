"""Is every fault that was injected in the ledger? Join the venue's log of faults with a recording's ledger of gaps.

What counts are the faults that a client can notice. A lost frame of a book with sequence numbers, or of trades that
are numbered one by one, must lie inside a gap of that feed; so must the time in which a connection was silent or
closed. A spoiled frame must be in the ledger itself. A lost quote, or a lost book of a venue that only sends whole
ones, leaves no trace on any wire: such faults are counted as `traceless`. A fault on a connection that was already
mute or dead has no effect of its own: `moot`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

SECOND = 10**9
SLACK_NS = SECOND // 4
"""A fault strikes when a frame is queued; it leaves, and arrives, a little later."""

Row = Mapping[str, Any]

_NUMBERED = {"book": "book", "trade": "trades"}
"""Kinds of frames that carry running numbers (on products that have them), and the feed that misses them."""
_SILENCING = ("stall", "close", "half-open")


@dataclass(frozen=True, slots=True)
class Gap:
    """A time (UNIX ns) in which a feed was not whole."""

    feed: str
    since: int
    until: int


@dataclass(slots=True)
class Joined:
    """How the faults of one product were found again; `missing` are those that were not."""

    found: Counter[str] = field(default_factory=Counter)
    traceless: Counter[str] = field(default_factory=Counter)
    moot: Counter[str] = field(default_factory=Counter)
    missing: list[dict[str, Any]] = field(default_factory=list)


def gaps_of(ledger: Iterable[Row], end_ns: int) -> list[Gap]:
    """Return the gaps of a ledger; one that never healed lasts to the end."""
    open_gaps: dict[tuple[str, str], Row] = {}
    found: list[Gap] = []
    for row in ledger:
        if row["kind"] == "gap":
            open_gaps[row["instrument_id"], row["feed"]] = row
        elif row["kind"] == "healed":
            gap = open_gaps.pop((row["instrument_id"], row["feed"]), None)
            if gap is not None:
                until = max(int(row["ts_to"]), int(gap["ts_recv"]))
                found.append(Gap(row["feed"], int(gap["ts_from"]), until))
    found += [Gap(row["feed"], int(row["ts_from"]), end_ns) for row in open_gaps.values()]
    return found


def join(
    faults: Sequence[Row],
    ledger: Sequence[Row],
    *,
    start_ns: int,
    end_ns: int,
    numbered: Iterable[str],
    lateness: Mapping[int, int] | None = None,
) -> Joined:
    """Look for each fault on frames of one product; `numbered` names the feeds that have running numbers there.

    `lateness` says how late (ns) messages came that left in a second (UNIX time): the ledger has the times at which
    they came, the log those at which they left.
    """
    late = lateness or {}
    wanted = frozenset(numbered)
    gaps = gaps_of(ledger, end_ns)
    malformed = sorted(int(row["ts"]) for row in ledger if row["kind"] == "malformed")
    silent: dict[str, int] = {}
    joined = Joined()
    passes, silences = _together(faults), _silences(faults)
    for fault in sorted(faults, key=lambda one: one["t_ns"]):
        if fault["point"] != "frame":
            continue
        at = start_ns + int(fault["t_ns"])
        name, target = str(fault["fault"]), str(fault["target"])
        label = f"{name}/{fault['kind']}"
        slack = SLACK_NS + max(late.get(at // SECOND + step, 0) for step in (-1, 0, 1))
        if silent.get(target, 0) > at or _undone(name, passes[fault["kind"], fault["n"]]):
            joined.moot[label] += 1
            continue
        if name in _SILENCING:
            silent[target] = at + int(float(fault["params"]["for"]) * SECOND) if name == "stall" else 1 << 62
            seen = any(_covers(gap, at, slack) for gap in gaps)
        elif name == "garble":
            seen = _take(malformed, at, slack)
        elif name in ("drop", "sequence-gap"):
            feed = _NUMBERED.get(str(fault["kind"]), "")
            if feed not in wanted:
                joined.traceless[label] += 1
                continue
            seen = any(gap.feed == feed and _covers(gap, at, slack) for gap in gaps)
        else:
            joined.traceless[label] += 1
            continue
        if seen:
            joined.found[label] += 1
        elif name == "garble" and _silenced_soon(silences.get(target, []), int(fault["t_ns"]), slack):
            joined.moot[label] += 1  # it was still on its way when its connection fell silent or broke
        else:
            joined.missing.append({"fault": label, "target": target, "ts": at})
    return joined


def _together(faults: Sequence[Row]) -> dict[tuple[str, int], set[str]]:
    """Return which faults struck the same frame: those with the same number of the pass."""
    found: dict[tuple[str, int], set[str]] = {}
    for fault in faults:
        found.setdefault((str(fault["kind"]), int(fault["n"])), set()).add(str(fault["fault"]))
    return found


def _undone(name: str, others: set[str]) -> bool:
    """Tell whether another fault on the same frame undid this one: a lost frame was sent after all, or never left."""
    lost = others & {"drop", "sequence-gap"}
    if name in ("drop", "sequence-gap"):
        return "duplicate" in others
    return name == "garble" and bool(lost or others & set(_SILENCING))


def _silences(faults: Sequence[Row]) -> dict[str, list[int]]:
    """Return when each session fell silent or broke (ns since the start)."""
    found: dict[str, list[int]] = {}
    for fault in faults:
        if fault["fault"] in _SILENCING:
            found.setdefault(str(fault["target"]), []).append(int(fault["t_ns"]))
    return found


def _silenced_soon(times: Sequence[int], at: int, slack: int) -> bool:
    return any(at <= time <= at + slack for time in times)


def _covers(gap: Gap, at: int, slack: int) -> bool:
    return gap.since - slack <= at <= gap.until + SLACK_NS


def _take(times: list[int], at: int, slack: int) -> bool:
    """Take the first entry that came soon after the fault: each entry bears witness once."""
    place = bisect_left(times, at)
    if place < len(times) and times[place] <= at + slack:
        del times[place]
        return True
    return False


def steady(values: Sequence[float]) -> float:
    """Return the median of the steps from one value to the next: what grows all the time, without the jumps."""
    steps = sorted(after - before for before, after in pairwise(values))
    return steps[len(steps) // 2] if steps else 0.0


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Return the slope of the line of least squares through (x, y)."""
    if len(points) < 2:
        return 0.0
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0
