"""Bar specifications: ``1m`` … ``1M`` in time, ``100tick``, ``50vol``, ``1000000usd`` by activity."""

from __future__ import annotations

import re
from functools import lru_cache

from lanner.core.errors import ConfigError

SECOND_NS = 1_000_000_000
MINUTE_NS = 60 * SECOND_NS
HOUR_NS = 60 * MINUTE_NS
DAY_NS = 24 * HOUR_NS

TIMEFRAMES_NS: dict[str, int] = {
    "1s": SECOND_NS,
    "1m": MINUTE_NS,
    "3m": 3 * MINUTE_NS,
    "5m": 5 * MINUTE_NS,
    "15m": 15 * MINUTE_NS,
    "30m": 30 * MINUTE_NS,
    "1h": HOUR_NS,
    "2h": 2 * HOUR_NS,
    "4h": 4 * HOUR_NS,
    "6h": 6 * HOUR_NS,
    "8h": 8 * HOUR_NS,
    "12h": 12 * HOUR_NS,
    "1d": DAY_NS,
    "3d": 3 * DAY_NS,
    "1w": 7 * DAY_NS,
    "1M": 30 * DAY_NS,
}
"""Nominal lengths in nanoseconds; ``1M`` is nominal only, its bars follow the calendar."""

_LENGTH = re.compile(r"([1-9]\d*) ?([smhdw])")
_UNITS_NS = {"s": SECOND_NS, "m": MINUTE_NS, "h": HOUR_NS, "d": DAY_NS, "w": 7 * DAY_NS}
_ACTIVITY = re.compile(r"^([1-9]\d*(?:\.\d+)?|0?\.\d+)(tick|vol|usd)$")


@lru_cache(maxsize=256)
def timeframe_ns(spec: str) -> int:
    """Return the nominal length of a time bar in nanoseconds, or 0 for a tick, volume or dollar bar."""
    if spec in TIMEFRAMES_NS:
        return TIMEFRAMES_NS[spec]
    parse_activity(spec)
    return 0


def length_ns(text: str) -> int:
    """Return a length of time such as ``30s`` or ``4h`` in nanoseconds, or 0 where the text is none."""
    found = _LENGTH.fullmatch(text.strip())
    return TIMEFRAMES_NS.get(text, 0) if found is None else int(found[1]) * _UNITS_NS[found[2]]


@lru_cache(maxsize=256)
def parse_activity(spec: str) -> tuple[str, float]:
    """Split an activity bar's specification into its kind (``tick``, ``vol``, ``usd``) and threshold."""
    match = _ACTIVITY.match(spec)
    if match is None or float(match[1]) <= 0 or (match[2] == "tick" and not match[1].isdigit()):
        raise ConfigError(
            f"unknown timeframe {spec!r}",
            expected=f"one of {', '.join(TIMEFRAMES_NS)} or e.g. 100tick, 50vol, 1000000usd",
            fix="Check the spelling: 1m is a minute, 1M a month.",
        )
    return match[2], float(match[1])


def series_id(instrument_id: str, spec: str) -> str:
    """Return the key of a bar series, ``BTC-USDT.BINANCE@1h``."""
    return f"{instrument_id}@{spec}"


def split_series(series: str) -> tuple[str, str]:
    """Split a series key into instrument id and timeframe."""
    instrument_id, _, spec = series.partition("@")
    return instrument_id, spec
