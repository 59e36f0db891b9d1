"""Indicators that weigh prices with volume."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from lanner.core.errors import ConfigError
from lanner.indicators.base import NAN, BarIndicator, BarLike
from lanner.model.timeframes import DAY_NS, HOUR_NS, TIMEFRAMES_NS

MONDAY_NS = 4 * DAY_NS
"""The first Monday after the UNIX epoch, which was a Thursday."""


class OBV(BarIndicator):
    """On-balance volume (Granville): add the volume of a bar that closes higher, subtract that of one closing lower.

    Starts with the volume of the first bar, as TA-Lib (others start at 0; only differences mean anything). A bar
    with a gap gives NaN and is left out; the sum goes on.
    """

    __slots__ = ("_close", "_sum")
    fields = ("close", "volume")

    def __init__(self) -> None:
        super().__init__()
        self._close = NAN
        self._sum = 0.0

    def update_bar(self, bar: BarLike) -> None:
        """Take the next bar."""
        self.prev = self.value
        close, volume = bar.close, bar.volume
        if (close + volume) * 0.0 != 0.0:
            self.value = NAN
            return
        last, self._close = self._close, close
        if close > last or last != last:
            self._sum += volume
        elif close < last:
            self._sum -= volume
        self.value = self._sum


class VWAP(BarIndicator):
    """Volume-weighted average price since the start: Σ typical · volume / Σ volume.

    The typical price is (high + low + close) / 3; it stands in while no volume has been traded. With ``reset_daily``
    the sums start again with the first bar that opens on a new UTC day. A bar with a gap gives NaN and is left out.
    """

    __slots__ = ("_amount", "_session", "_volume", "length", "offset", "reset_daily")
    fields = ("ts_open", "high", "low", "close", "volume")

    def __init__(self, reset_daily: bool = False) -> None:
        super().__init__()
        self.reset_daily = reset_daily
        self.length = DAY_NS if reset_daily else 0
        self.offset = 0
        self._amount = self._volume = 0.0
        self._session = -1

    def update_bar(self, bar: BarLike) -> None:
        """Take the next bar."""
        self.prev = self.value
        if self.length:
            session = (bar.ts_open - self.offset) // self.length
            if session != self._session:
                self._session = session
                self._amount = self._volume = 0.0
        volume = bar.volume
        typical = (bar.high + bar.low + bar.close) / 3.0
        if (typical + volume) * 0.0 != 0.0:
            self.value = NAN
            return
        self._amount += typical * volume
        self._volume += volume
        self.value = self._amount / self._volume if self._volume else typical


class SessionVWAP(VWAP):
    """Volume-weighted average price since the session began: as ``VWAP``, the sums start again with each session.

    A session is a time bar's length (``"1d"``, ``"8h"``, ``"1w"`` …) and begins at its multiples since the UNIX epoch,
    weeks on Monday, ``start_hour`` hours later (UTC).
    """

    __slots__ = ()

    def __init__(self, session: str = "1d", start_hour: int = 0) -> None:
        super().__init__()
        self.length = TIMEFRAMES_NS.get(session, 0)
        if not self.length or session == "1M":
            allowed = [name for name in TIMEFRAMES_NS if name != "1M"]
            raise ConfigError("session_vwap: bad session", expected=", ".join(allowed), found=repr(session))
        if type(start_hour) is not int or not 0 <= start_hour < 24:
            raise ConfigError("session_vwap: bad start_hour", expected="0 to 23 (UTC)", found=start_hour)
        self.offset = start_hour * HOUR_NS + (MONDAY_NS if session == "1w" else 0)


class AnchoredVWAP(BarIndicator):
    """Volume-weighted average price since a moment: as ``VWAP``, NaN before.

    ``since`` is a date or time in ISO form (UTC unless it says otherwise), or UNIX nanoseconds; the first bar that
    opens then or later is the first one counted.
    """

    __slots__ = ("_amount", "_volume", "since_ns")
    fields = ("ts_open", "high", "low", "close", "volume")

    def __init__(self, since: str | int) -> None:
        super().__init__()
        self.since_ns = _moment(since)
        self._amount = self._volume = 0.0

    def update_bar(self, bar: BarLike) -> None:
        """Take the next bar."""
        self.prev = self.value
        volume = bar.volume
        typical = (bar.high + bar.low + bar.close) / 3.0
        if (typical + volume) * 0.0 != 0.0 or bar.ts_open < self.since_ns:
            self.value = NAN
            return
        self._amount += typical * volume
        self._volume += volume
        self.value = self._amount / self._volume if self._volume else typical


def _moment(since: object) -> int:
    """Return UNIX nanoseconds of a time given as text or as nanoseconds."""
    if isinstance(since, int) and not isinstance(since, bool):
        return since
    try:
        moment = datetime.fromisoformat(since) if isinstance(since, str) else None
    except ValueError:
        moment = None
    if moment is None:
        raise ConfigError(
            "anchored_vwap: bad since",
            expected="a date or time such as 2024-01-31 or 2024-01-31T08:00, or UNIX nanoseconds",
            found=repr(since),
        )
    utc = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (utc - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000
