"""Adjustments that stand for fills nobody has told yet, and are taken back when such a fill is told at last.

A comparison with the venue finds a position that no known fill explains, and brings ours to it. The fill may come after
all: then it is booked to its order, and what was adjusted for it goes, in the same step, so that the position is the
venue's before, between and after. ``as_of`` says up to which of the venue's times an adjustment has counted everything:
whatever is filled later is news. So a fill that is as old as that was in the venue's position already, whatever its
side: of several that are told one by one, some may go beyond the adjustment until the others have come.
"""

from __future__ import annotations

import msgspec

from lanner.model.reports import OrderFilled, PositionAdjusted

KEPT = 200
"""So many of the newest adjustments of an instrument are remembered."""


class Unexplained:
    """Remember adjustments by instrument, oldest first, with how many fills each was taken back for."""

    __slots__ = ("_by_instrument",)

    def __init__(self) -> None:
        self._by_instrument: dict[str, list[tuple[PositionAdjusted, int]]] = {}

    def __bool__(self) -> bool:
        return bool(self._by_instrument)

    def note(self, report: PositionAdjusted) -> None:
        """Remember an adjustment, if it says what it has counted."""
        if report.as_of:
            known = self._by_instrument.setdefault(report.instrument_id, [])
            known.append((report, 0))
            del known[:-KEPT]

    def explained_by(self, fill: OrderFilled) -> PositionAdjusted | None:
        """Return the adjustment that takes back what a fill explains that was not known before, None for a later one.

        Each has a time of its own, some nanoseconds after the fill's: by their times they are told apart.
        """
        known = self._by_instrument.get(fill.instrument_id, ())
        for number, (report, times) in enumerate(known):
            if fill.ts_event <= report.as_of:
                self._by_instrument[fill.instrument_id][number] = (report, times + 1)
                return msgspec.structs.replace(
                    report,
                    ts_event=fill.ts_event + times + 1,
                    ts_recv=fill.ts_recv,
                    lots=-int(fill.side) * fill.lots,
                    reason=f"fill {fill.trade_id} of {fill.order_id} was told late",
                    as_of=0,
                )
        return None
