"""Read the times people write, all in UTC: ``2024``, ``2024-03``, ``2024-03-01``, ISO 8601, UNIX times."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

from lanner.core.errors import ConfigError

EXPECTED = "2024, 2024-03, 2024-03-01, 2024-03-01T12:30 (UTC) or UNIX time in s, ms, us or ns"

_PARTIAL = re.compile(r"^(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?$")
_UNIX_SCALES = {10: 1_000_000_000, 13: 1_000_000, 16: 1_000, 19: 1}
"""Digits of a UNIX time between 2001 and 2286 → nanoseconds a unit."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_time(value: object, name: str = "time") -> int:
    """Return UNIX nanoseconds for a date, a date and time, a year or a UNIX time; a zone-less time is UTC.

    Raises ``ConfigError`` naming ``name`` when the text is none of these.
    """
    if isinstance(value, datetime):
        return _to_ns(value if value.tzinfo else value.replace(tzinfo=UTC))
    if isinstance(value, date):
        return _to_ns(datetime(value.year, value.month, value.day, tzinfo=UTC))
    text = str(value).strip()
    if isinstance(value, bool) or not text:
        raise _refuse(name, value)
    if text.isdigit() and len(text) in _UNIX_SCALES:
        return int(text) * _UNIX_SCALES[len(text)]
    try:
        partial = _PARTIAL.match(text)
        if partial:
            return _to_ns(datetime(int(partial[1]), int(partial[2] or 1), int(partial[3] or 1), tzinfo=UTC))
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _refuse(name, value) from None
    return _to_ns(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def format_time(ns: int) -> str:
    """Return a time as ``2024-03-01`` when it is midnight UTC, else as ``2024-03-01T12:30:00Z``."""
    moment = datetime.fromtimestamp(ns // 1_000_000_000, UTC)
    rest = ns % 1_000_000_000
    if rest:
        return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest:09d}".rstrip("0") + "Z"
    return f"{moment:%Y-%m-%d}" if not ns % 86_400_000_000_000 else f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _to_ns(moment: datetime) -> int:
    delta = moment - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000_000 + delta.microseconds * 1_000


def _refuse(name: str, value: object) -> ConfigError:
    return ConfigError(f"{name} is not a time", expected=EXPECTED, found=repr(value))
