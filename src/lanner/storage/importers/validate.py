"""Judge rows one by one: which cannot be market data, and why."""

from __future__ import annotations

import polars as pl

_LATEST_NS = 4_102_444_800_000_000_000

OHLC_REASONS = frozenset(
    {"high is below low", "high is below open or close", "low is above open or close", "volume is negative"}
)


def check_rows(frame: pl.DataFrame, kind: str) -> pl.Series | None:
    """Return a column ``_fault`` with the reason for refusing each row (null: good), or None if all are good."""
    rules = [(_bad_time(), "the time is missing or not between 1970 and 2100"), *_RULES[kind]()]
    verdict = pl.lit(None, dtype=pl.String)
    for condition, reason in reversed(rules):
        verdict = pl.when(condition).then(pl.lit(reason)).otherwise(verdict)
    faults = frame.select(verdict.alias("_fault")).to_series()
    return None if faults.null_count() == frame.height else faults


def _bad_time() -> pl.Expr:
    return pl.col("ts_event").is_null() | ~pl.col("ts_event").is_between(1, _LATEST_NS)


def _absent(name: str) -> pl.Expr:
    return pl.col(name).is_null() | ~pl.col(name).is_finite()


def _not_price(name: str) -> pl.Expr:
    return pl.col(name) <= 0


def _bars() -> list[tuple[pl.Expr, str]]:
    rules = [
        (_absent(name), f"{name} is missing or not a number") for name in ("open", "high", "low", "close")
    ]
    rules.append((_absent("volume"), "volume is missing or not a number"))
    rules += [(_not_price(name), f"{name} is not positive") for name in ("open", "high", "low", "close")]
    o, h, low, c = (pl.col(name) for name in ("open", "high", "low", "close"))
    return [
        *rules,
        (pl.col("volume") < 0, "volume is negative"),
        (h < low, "high is below low"),
        ((h < o) | (h < c), "high is below open or close"),
        ((low > o) | (low > c), "low is above open or close"),
    ]


def _trades() -> list[tuple[pl.Expr, str]]:
    return [
        (_absent("px"), "price is missing or not a number"),
        (_absent("qty"), "quantity is missing or not a number"),
        (_not_price("px"), "price is not positive"),
        (pl.col("qty") <= 0, "quantity is not positive"),
    ]


def _quotes() -> list[tuple[pl.Expr, str]]:
    rules = []
    for side in ("bid", "ask"):
        px, qty = pl.col(f"{side}_px"), pl.col(f"{side}_qty")
        rules += [
            (
                qty.is_null() | ~qty.is_finite() | (qty < 0),
                f"{side} quantity is missing, negative or not a number",
            ),
            (px.is_null() | (~px.is_finite() & (qty != 0)), f"{side} price is missing or not a number"),
            (px <= 0, f"{side} price is not positive"),
        ]
    return rules


def _book() -> list[tuple[pl.Expr, str]]:
    return [
        (_absent("px"), "price is missing or not a number"),
        (_absent("qty"), "quantity is missing or not a number"),
        (_not_price("px"), "price is not positive"),
        (pl.col("qty") < 0, "quantity is negative"),
        (~pl.col("side").is_in([1, -1]) | pl.col("side").is_null(), "side is neither bid nor ask"),
    ]


def _mark() -> list[tuple[pl.Expr, str]]:
    prices = ("mark_px", "index_px", "last_px")
    nothing = pl.all_horizontal(pl.col(name).is_null() for name in (*prices, "open_interest"))
    rules = [(nothing, "no price in the row")]
    for name in prices:
        wrong = pl.col(name).is_not_null() & (~pl.col(name).is_finite() | (pl.col(name) <= 0))
        rules.append((wrong, f"{name.removesuffix('_px')} price is not a positive number"))
    return rules


def _funding() -> list[tuple[pl.Expr, str]]:
    return [
        (_absent("rate"), "rate is missing or not a number"),
        (pl.col("rate").abs() > 0.5, "rate is not believable (more than 50 % per interval)"),
    ]


_RULES = {
    "bars": _bars,
    "trades": _trades,
    "quotes": _quotes,
    "book": _book,
    "mark": _mark,
    "funding": _funding,
}
