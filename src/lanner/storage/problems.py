"""Turn a passport's numbers into sentences for the report of a backtest."""

from __future__ import annotations

from datetime import UTC, datetime

from lanner.model.timeframes import DAY_NS as _DAY
from lanner.storage.passport import Passport, ratio_text


def problems_of(passport: Passport) -> list[str]:
    """Return the sentences, the gravest first; an empty list means that nothing was found."""
    found = [
        *_integrity(passport),
        *_completeness(passport),
        *_rows(passport),
        *_clock(passport),
    ]
    if passport.synthetic:
        found.insert(0, "The data is synthetic: made by a generator, not recorded at a venue.")
    return found + list(passport.warnings)


def time_text(ns: int) -> str:
    """Return a UNIX time in nanoseconds as UTC text without superfluous digits."""
    moment = datetime.fromtimestamp(ns // 1_000_000_000, tz=UTC)
    if ns % 1_000_000_000:
        return f"{moment:%Y-%m-%d %H:%M:%S}.{ns % 1_000_000_000 // 1_000_000:03d}"
    return f"{moment:%Y-%m-%d %H:%M}" if moment.second == 0 else f"{moment:%Y-%m-%d %H:%M:%S}"


def duration_text(ns: int) -> str:
    """Return a duration with the unit that suits it: 3.2 ms, 1.272 s, 5.0 h."""
    size = abs(ns)
    for unit, length, digits in (
        ("d", 86_400_000_000_000, 1),
        ("h", 3_600_000_000_000, 1),
        ("min", 60_000_000_000, 1),
        ("s", 1_000_000_000, 3),
        ("ms", 1_000_000, 3),
        ("µs", 1_000, 1),
    ):
        if size >= length * (2 if unit in ("d", "h", "min") else 1):
            return f"{ns / length:.{digits}f} {unit}"
    return f"{ns} ns"


def plural(count: int, one: str, many: str = "") -> str:
    """Return ``1 gap`` or ``3 gaps``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def _integrity(p: Passport) -> list[str]:
    out = []
    if p.rejected_rows:
        reasons = sorted(p.rejected_reasons.items(), key=lambda item: -item[1])
        listed = ", ".join(f"{reason} ({count:,})" for reason, count in reasons[:3])
        read = p.rejected_rows + sum(source.rows for source in p.sources)
        out.append(
            f"{plural(p.rejected_rows, 'row')} of the source ({ratio_text(p.rejected_rows, read)}) "
            f"could not be used and {'was' if p.rejected_rows == 1 else 'were'} left out: {listed}."
        )
    if p.sequence_breaks:
        out.append(
            f"The venue's message numbers break {plural(p.sequence_breaks, 'time')}: messages were lost, "
            "and the book is wrong from there to the next snapshot."
        )
    if p.checksum_failures:
        out.append(f"{plural(p.checksum_failures, 'book checksum')} of the venue did not match.")
    if p.missing_ids:
        out.append(f"{plural(p.missing_ids, 'trade')} missing by the venue's own numbering.")
    return out


def _completeness(p: Passport) -> list[str]:
    out = []
    if p.gap_count and p.kind == "bars":
        text = f"{plural(p.gap_count, 'gap')}: {plural(p.missing_rows, 'bar')} of "
        text += f"{p.rows + p.missing_rows:,} missing ({ratio_text(p.missing_rows, p.rows + p.missing_rows)})"
        longest = max(p.gaps, key=lambda gap: gap.missing, default=None)
        if longest is not None:
            text += f", the longest after {time_text(longest.start_ns)} ({plural(longest.missing, 'bar')})"
        if closing_hours(p):
            text += "; they lie at weekends, so this market seems to close"
        out.append(text + ".")
    elif p.gap_count:
        longest = max(p.gaps, key=lambda gap: gap.end_ns - gap.start_ns, default=None)
        text = f"{plural(p.gap_count, 'silence')} much longer than usual"
        if longest is not None:
            length = duration_text(longest.end_ns - longest.start_ns)
            text += f", the longest {length} after {time_text(longest.start_ns)}"
        out.append(text + ".")
    return out


def closing_hours(p: Passport) -> bool:
    """Tell whether most Saturdays of a bar series lie in gaps, as in stock and currency markets."""
    weeks = (p.end_ns - p.start_ns) // (7 * _DAY)
    if weeks < 3:
        return False
    weekends = sum(1 for gap in p.gaps if _spans_saturday_noon(gap.start_ns, gap.end_ns))
    return weekends >= 0.8 * min(weeks, len(p.gaps))


def _spans_saturday_noon(start_ns: int, end_ns: int) -> bool:
    if end_ns - start_ns > 6 * _DAY:
        return False
    first = start_ns // _DAY
    return any(
        (number + 3) % 7 == 5 and start_ns <= number * _DAY + _DAY // 2 <= end_ns
        for number in range(first, first + 7)
    )


def _rows(p: Passport) -> list[str]:
    out = []
    if p.duplicates_conflicting and p.kind == "trades":
        out.append(
            f"{plural(p.duplicates_conflicting, 'trade')} under an id that another trade already has; all were kept."
        )
    elif p.duplicates_conflicting:
        out.append(
            f"{plural(p.duplicates_conflicting, 'row')} repeated an earlier one with other values; "
            "the first of a file was kept, a later import replaces."
        )
    if p.kind == "bars" and p.rows and p.zero_volume / p.rows > 0.001:
        out.append(
            f"{plural(p.zero_volume, 'bar')} ({ratio_text(p.zero_volume, p.rows)}) without any volume."
        )
    if p.outliers:
        out.append(
            f"{plural(p.outliers, 'price spike')} that the next row takes back: bad prints are likely."
        )
    if p.crossed:
        what = "row" if p.kind == "quotes" else "event"
        out.append(f"Crossed book (bid above ask) in {plural(p.crossed, what)}.")
    if p.out_of_order:
        out.append(f"{plural(p.out_of_order, 'row')} of the source out of order; sorted at import.")
    return out


def _clock(p: Passport) -> list[str]:
    if not p.clock_offset_ns or p.latency is None:
        return []
    behind = duration_text(-p.clock_offset_ns)
    return [
        f"Receipt precedes the venue's time by {behind}: the recorder's clock was behind; its latencies are not real."
    ]
