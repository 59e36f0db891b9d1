"""Write the comparison as one HTML file with all it needs inside; it asks the network for nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from lanner.backtest.report.frame import render_page, safe_json
from lanner.live.parity.compare import ParityReport
from lanner.live.parity.split import PARTS, Pair
from lanner.live.parity.view import MEANINGS, NAMES, clock, in_cents, pair_json, signed, verdict
from lanner.model.enums import Liquidity
from lanner.storage.files import write_atomic

MOST_ROWS = 2000
WIDTH, HEIGHT = 1000, 220


def render_parity(report: ParityReport) -> str:
    """Return the whole page as text."""
    return render_page(
        "parity.html.j2",
        _view(report),
        payload=safe_json({"metrics": {}}),
        vendor=(),
        scripts=["static/core.js", "static/page.js"],
        styles=["static/report.css", "parity.css"],
        package="lanner.live.parity",
    )


def write_parity_page(report: ParityReport, path: Path) -> Path:
    """Write the page to a file, replacing it in one step, and return the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, render_parity(report).encode("utf-8"))
    return path


def _view(report: ParityReport) -> dict[str, object]:
    span = f"{_stamp(report.started_ns)} – {_stamp(report.ended_ns)} UTC"
    rows = [_row(pair) for pair in report.pairs[:MOST_ROWS]]
    return {
        "kind": "parity",
        "title": f"Session {report.session}",
        "instruments": report.instruments,
        "strategy": ", ".join(report.strategies),
        "mode": report.mode,
        "span": span,
        "messages": f"{report.messages:,}",
        "currency": report.currency,
        "verdict": verdict(report),
        "explained": report.explained,
        "tiles": _tiles(report),
        "bars": _waterfall(report),
        "gap": signed(report.gap),
        "lines": _lines(report),
        "rows": rows,
        "left_out": len(report.pairs) - len(rows),
        "alone": sum(row["alone"] for row in rows),
        "changed": [f"{name} = {value}" for name, value in _flat(report.changed)],
        "controls": _controls(report),
        "alike": sum(row["same"] for row in rows),
        "gaps": [(clock(begin) if begin else "start", clock(end), what) for begin, end, what in report.gaps],
    }


def _controls(report: ParityReport) -> list[tuple[str, str, str]]:
    """Return what people and guards did; what was done again and again for one reason is one row."""
    rows: list[tuple[str, str, str]] = []
    before: tuple[str, str] | None = None
    times = 1
    for ts, action, reason in report.controls:
        if (action, reason) == before:
            times += 1
            rows[-1] = (rows[-1][0], f"{action} ×{times}", reason)
            continue
        before, times = (action, reason), 1
        rows.append((clock(ts), action, reason))
    return rows


def _stamp(ts: int) -> str:
    return f"{datetime.fromtimestamp(ts / 1e9, UTC):%Y-%m-%d %H:%M:%S}"


def _tiles(report: ParityReport) -> list[dict[str, str]]:
    joined = len(report.pairs) - len(report.alone)
    fills = sum(len(pair.session_fills) for pair in report.pairs)
    theirs = sum(len(pair.backtest_fills) for pair in report.pairs)
    rest = report.parts["rest"]
    same = sum(not pair.note and not pair.gap for pair in report.pairs)
    return [
        _tile("Session", f"{report.session_equity:,.2f}", f"{report.currency} at the end"),
        _tile("Backtest", f"{report.backtest_equity:,.2f}", f"{report.currency} at the end"),
        _tile("Gap", signed(report.gap), "session less backtest", _tone(report.gap)),
        _tile("Rest", signed(rest), "must be zero", "good" if report.explained else "bad"),
        _tile("Orders joined", f"{joined:,}", f"{len(report.alone):,} on one side only"),
        _tile("The same", f"{same:,}", f"of {len(report.pairs):,} orders"),
        _tile("Fills", f"{fills:,}", f"{theirs:,} in the backtest"),
        _tile("Delay", _delay(report), "median of takers"),
    ]


def _tile(label: str, value: str, note: str, tone: str = "") -> dict[str, str]:
    return {"label": label, "value": value, "note": note, "tone": tone}


def _tone(amount: Decimal) -> str:
    text = signed(amount)
    return "" if text == "0.00" else "good" if amount > 0 else "bad"


def _delay(report: ParityReport) -> str:
    """Return the median from decision to fill of orders that took: who rests waits for the market, not for us."""
    delays = sorted(
        max(fill.ts_recv for fill in pair.session_fills) - pair.session.ts_init
        for pair in report.pairs
        if pair.session is not None
        and pair.session_fills
        and pair.session.stop_px is None
        and all(fill.liquidity is Liquidity.TAKER for fill in pair.session_fills)
    )
    return f"{delays[len(delays) // 2] / 1e6:,.1f} ms" if delays else "–"


def _waterfall(report: ParityReport) -> list[dict[str, object]]:
    """Return the parts as bars that begin where the one before ended."""
    at, spans = Decimal(0), []
    for name in PARTS:
        spans.append((name, at, at + report.parts[name]))
        at += report.parts[name]
    ends = [Decimal(0), at, *(end for _, _, end in spans)]
    low, high = min(ends), max(ends)
    wide = (high - low) or Decimal(1)

    def bar(
        label: str, title: str, begin: Decimal, end: Decimal, shown: Decimal, tone: str
    ) -> dict[str, object]:
        return {
            "label": label,
            "title": title,
            "left": f"{float((min(begin, end) - low) / wide * 100):.2f}",
            "width": f"{float(abs(end - begin) / wide * 100):.2f}",
            "text": signed(shown),
            "tone": tone,
        }

    shown = in_cents(report.parts)
    bars = [
        bar(NAMES[name], MEANINGS[name], begin, end, shown[name], _tone(end - begin) or "none")
        for name, begin, end in spans
    ]
    return [*bars, bar("Gap", "session less backtest", Decimal(0), at, at, "total")]


def _lines(report: ParityReport) -> dict[str, object] | None:
    """Return both equity curves as paths of one picture."""
    points = [point for curve in report.curves.values() for point in curve]
    if len(points) < 4:
        return None
    begin, end = min(ts for ts, _ in points), max(ts for ts, _ in points)
    low, high = min(value for _, value in points), max(value for _, value in points)
    if high == low:
        low, high = low - 1, high + 1
    wide = max(1, end - begin)

    def path(curve: list[tuple[int, float]]) -> str:
        return " ".join(
            f"{(ts - begin) / wide * WIDTH:.1f},{(high - value) / (high - low) * (HEIGHT - 8) + 4:.1f}"
            for ts, value in curve
        )

    return {
        "session": path(report.curves["session"]),
        "backtest": path(report.curves["backtest"]),
        "low": f"{low:,.2f}",
        "high": f"{high:,.2f}",
        "middle": f"{(low + high) / 2:,.2f}",
        "begin": clock(begin),
        "end": clock(end),
        "width": WIDTH,
        "height": HEIGHT,
    }


def _row(pair: Pair) -> dict[str, Any]:
    told = pair_json(pair)
    return {
        "time": clock(told["ts"]),
        "what": f"{told['side'].lower()} {told['type'].lower().replace('_', ' ')}",
        "side": "long" if told["side"] == "BUY" else "short",
        "instrument": told["instrument"],
        "strategy": told["strategy"],
        "intent": told["intent"],
        "session": _side(told["session"]),
        "backtest": _side(told["backtest"]),
        "gap": signed(pair.gap),
        "tone": _tone(pair.gap),
        "parts": [
            (NAMES[name], signed(amount))
            for name, amount in told["parts"].items()
            if signed(amount) != "0.00"
        ],
        "note": pair.note,
        "alone": pair.session is None or pair.backtest is None,
        "same": not pair.note and not pair.gap,
    }


def _side(side: dict[str, Any] | None) -> dict[str, str] | None:
    if side is None:
        return None
    filled = side["avg_px"] is not None
    return {
        "qty": side["cum_qty"] if filled else side["qty"],
        "px": f"{side['avg_px']:,.2f}" if filled else side["status"].lower(),
        "fees": f"{side['fees']:,.4f}",
        "delay": "" if side["delay_ms"] is None else f"{side['delay_ms']:,.1f}",
    }


def _flat(values: dict[str, Any], before: str = "") -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    for name, value in values.items():
        found += _flat(value, f"{before}{name}.") if isinstance(value, dict) else [(before + name, value)]
    return found
