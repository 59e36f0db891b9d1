"""Show data passports and the catalog's table of contents."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import msgspec

from lanner.cli.output import table
from lanner.model.instruments import Instrument
from lanner.storage.catalog import DatasetInfo
from lanner.storage.passport import Passport, SourceRecord, ratio_text
from lanner.storage.problems import duration_text, time_text

_WIDTH = 100
_LABEL = 16


def print_list(infos: Sequence[DatasetInfo]) -> None:
    """Print one line for each data set."""
    rows = [
        [
            info.ref,
            info.kind,
            f"{info.rows:,}",
            time_text(info.start_ns),
            time_text(info.end_ns),
            size_text(info.size),
            "synthetic" if info.synthetic else f"{info.problems} finding(s)" if info.problems else "",
        ]
        for info in infos
    ]
    print(table(["data set", "kind", "rows", "from", "to", "size", "remarks"], rows, right="25"))


def print_passport(passport: Passport, instrument: Instrument | None, gaps: int) -> None:
    """Print a passport: facts, what was found, and the first gaps."""
    title = f"{passport.ref}{'  SYNTHETIC' if passport.synthetic else ''}"
    print(f"{title}\n{'=' * len(title)}")
    for label, value in _facts(passport, instrument):
        lines = textwrap.wrap(value, _WIDTH - _LABEL, break_long_words=False) or [""]
        print(f"{label:<{_LABEL}}{lines[0]}")
        for line in lines[1:]:
            print(f"{'':<{_LABEL}}{line}")
    problems = passport.problems()
    print(f"\n{'findings' if problems else 'no findings'}")
    for text in problems:
        print(textwrap.fill(text, _WIDTH, initial_indent="  - ", subsequent_indent="    "))
    _print_gaps(passport, gaps)
    _print_rejections(passport)
    print()


def passport_json(passport: Passport, instrument: Instrument | None) -> dict[str, Any]:
    """Return the passport as plain data, with the sentences of ``problems`` and the instrument."""
    data: dict[str, Any] = msgspec.to_builtins(passport)
    data["ref"] = passport.ref
    data["problems"] = passport.problems()
    data["instrument"] = None if instrument is None else msgspec.to_builtins(instrument)
    return data


def size_text(size: int) -> str:
    """Return a size in bytes with a fitting unit."""
    value = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return ""


def _facts(p: Passport, instrument: Instrument | None) -> list[tuple[str, str]]:
    facts = [
        ("kind", f"{p.kind}{f', {p.spec}' if p.spec else ''}"),
        ("rows", f"{p.rows:,} in {len(p.partitions)} file(s), {size_text(p.size)}"),
        (
            "span",
            f"{time_text(p.start_ns)} to {time_text(p.end_ns)} UTC ({duration_text(p.end_ns - p.start_ns)})",
        ),
        ("gaps", _gap_text(p)),
        ("duplicates", f"{p.duplicates_exact:,} exact, {p.duplicates_conflicting:,} conflicting"),
        (
            "order",
            f"{p.out_of_order:,} rows out of order{', newest first' if p.newest_first else ''} in the source",
        ),
        ("left out", f"{p.rejected_rows:,} rows{_reasons(p)}"),
    ]
    if p.kind == "bars":
        facts.append(("bars", f"{p.ohlc_violations:,} OHLC violations, {p.zero_volume:,} without volume"))
    if p.kind in ("bars", "trades"):
        facts.append(("spikes", f"{p.outliers:,}"))
    if p.kind in ("quotes", "book"):
        facts.append(("crossed", f"{p.crossed:,} crossed, {p.locked:,} locked"))
    if p.sequence_checked:
        facts.append(("sequence", f"{p.sequence_breaks:,} breaks in {p.sequence_checked:,} messages checked"))
    if p.checksums_checked:
        facts.append(("checksums", f"{p.checksum_failures:,} of {p.checksums_checked:,} do not match"))
    if p.kind == "trades":
        facts.append(("trade ids", f"{p.missing_ids:,} missing"))
    if p.latency is not None:
        stats = p.latency
        text = ", ".join(
            f"{name} {duration_text(value)}"
            for name, value in (("p1", stats.p1_ns), ("p50", stats.p50_ns), ("p99", stats.p99_ns))
        )
        facts.append(("latency", f"receipt − event: {text} ({stats.rows:,} rows)"))
        if p.clock_offset_ns:
            facts.append(("clock", f"{duration_text(-p.clock_offset_ns)} behind the venue's"))
    if instrument is not None:
        facts.append(
            ("instrument", f"tick {instrument.tick:f}, lot {instrument.lot:f}, quote {instrument.quote}")
        )
    if p.inferred:
        facts.append(("concluded", ", ".join(f"{name} {value}" for name, value in p.inferred.items())))
    facts += [("source", _source_text(source)) for source in p.sources[:8]]
    if len(p.sources) > 8:
        facts.append(("", f"… and {len(p.sources) - 8} more sources"))
    facts.append(("content hash", p.content_hash))
    return facts


def _source_text(source: SourceRecord) -> str:
    """Say where rows came from; what was generated or given from memory has no file to hash."""
    parts = [source.format, f"{source.rows:,} rows", f"sha256 {source.sha256[:12]}" if source.sha256 else ""]
    return f"{source.file} ({', '.join(part for part in parts if part)})"


def _gap_text(p: Passport) -> str:
    if not p.gap_count:
        return "none"
    if p.kind != "bars":
        return f"{p.gap_count:,} long silences"
    return f"{p.gap_count:,}, {p.missing_rows:,} bars missing ({ratio_text(p.missing_rows, p.rows + p.missing_rows)})"


def _reasons(p: Passport) -> str:
    if not p.rejected_reasons:
        return ""
    return ": " + ", ".join(f"{reason} ({count:,})" for reason, count in p.rejected_reasons.items())


def _print_gaps(p: Passport, limit: int) -> None:
    if not p.gaps or limit <= 0:
        return
    longest = sorted(p.gaps, key=lambda gap: gap.start_ns - gap.end_ns)[:limit]
    rows = [
        [
            time_text(g.start_ns),
            time_text(g.end_ns),
            duration_text(g.end_ns - g.start_ns),
            f"{g.missing:,}" if g.missing else "-",
        ]
        for g in longest
    ]
    print(f"\nlongest gaps ({len(longest)} of {p.gap_count:,})")
    print(textwrap.indent(table(["last before", "first after", "length", "missing"], rows, right="3"), "  "))


def _print_rejections(p: Passport) -> None:
    if not p.rejections:
        return
    print(f"\nrows left out ({min(5, len(p.rejections))} of {p.rejected_rows:,})")
    for item in p.rejections[:5]:
        text = f": {item.text[:70]!r}" if item.text else ""
        print(f"  {item.file}, line {item.line}: {item.reason}{text}")
