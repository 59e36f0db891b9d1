"""What the orders themselves tell: none at all, one at every bar, or most of them refused."""

from __future__ import annotations

from lanner.research.lookahead import in_catalog
from lanner.research.probes import Finding
from lanner.research.probes_stage import Outcome, Stage
from lanner.research.probes_watch import Touch

BUSY = 0.5
"""The part of all bars with orders of its own from which on a strategy churns."""
REFUSED = 0.2
"""The part of all orders from which on refusals are a habit."""
FEW = 10


def check_activity(stage: Stage) -> Outcome:
    """Return whether the strategy trades, churns, or is refused most of the time."""
    outcome = Outcome("activity")
    result = stage.reference.result
    if result is None:
        outcome.done, outcome.note = False, "not judged: the run did not end"
        return outcome
    bars, unit = len(stage.world.played), stage.world.unit
    own = [row for row in result.orders if row.strategy_id]
    outcome.note = f"{len(own)} orders, {len(result.fills)} fills in {bars:,} {unit}"
    refused = [row for row in own if row.status in ("denied", "rejected")]
    if not own:
        outcome.findings.append(
            Finding(
                "activity",
                "warning",
                "the strategy never trades on these data",
                expected="at least one order",
                found=f"none in {bars:,} {unit}",
                fix="Check it on data that should make it trade (--data), or look at its conditions.",
            )
        )
    elif len(own) >= FEW and len(refused) > REFUSED * len(own):
        reasons = sorted({row.reason for row in refused if row.reason})[:3]
        outcome.findings.append(
            Finding(
                "activity",
                "warning",
                "many orders are refused",
                expected="orders that the venue and the risk limits accept",
                found=f"{len(refused)} of {len(own)}: {'; '.join(reasons)}"[:200],
                fix="Look at quantities, balance and limits; self.target sizes orders by what there is.",
                ts=refused[0].ts_init,
                bar=stage.bar(refused[0].ts_init),
            )
        )
    fills = {stage.bar(fill.ts) for fill in result.fills}
    if len(fills) >= FEW and len(fills) > BUSY * bars:
        start = float(result.start_equity)
        outcome.findings.append(
            Finding(
                "activity",
                "warning",
                "it trades at almost every bar, and costs eat what it makes",
                expected=f"fills at fewer than {BUSY:.0%} of the bars",
                found=f"fills at {len(fills)} of {bars:,} bars; fees {100 * float(result.fees) / start:.1f} % "
                "of the money at the start",
                fix="Trade when the wanted position changes, and let small changes be.",
            )
        )
    return outcome


def check_outside(stage: Stage) -> Outcome:
    """Return what the strategy uses beside the market data that it was given."""
    outcome = Outcome("outside")
    seen = [touch for touch in stage.touched if touch.kind != "clock" and not in_catalog(stage, touch)]
    outcome.note = "files, network, programs and the clock, while it runs"
    for kind in ("network", "program", "file", "write"):
        touches = [touch for touch in seen if touch.kind == kind]
        if touches:
            outcome.findings.append(_outside(kind, touches))
    clocks = [touch for touch in stage.touched if touch.kind == "clock"]
    if clocks:
        outcome.findings.append(
            Finding(
                "outside",
                "warning",
                "the strategy reads the wall clock",
                expected="time from self.now",
                found=_places(clocks),
                fix="A backtest makes years pass in seconds: take the time from self.now or bar.ts_event.",
                line=clocks[0].line,
            )
        )
    return outcome


_SAYS = {
    "network": (
        "error",
        "the strategy uses the network while it runs",
        "Fetch beforehand; import it as data.",
    ),
    "program": ("error", "the strategy starts another program", "Do it outside of the strategy."),
    "file": (
        "warning",
        "the strategy reads a file: nobody knows whether the future is in it",
        "Import it as market data, or make sure that it was written before the run begins.",
    ),
    "write": (
        "warning",
        "the strategy writes a file",
        "Use self.log; a file can carry one run into the next.",
    ),
}


def _outside(kind: str, touches: list[Touch]) -> Finding:
    severity, what, fix = _SAYS[kind]
    return Finding(
        "outside",
        "error" if severity == "error" else "warning",
        what,
        expected="nothing but the market data it is given",
        found=_places(touches),
        fix=fix,
        line=touches[0].line,
    )


def _places(touches: list[Touch]) -> str:
    places = list(dict.fromkeys(f"{touch.what} in line {touch.line}" for touch in touches))
    return "; ".join(places[:3]) + (f" and {len(places) - 3} more" if len(places) > 3 else "")
