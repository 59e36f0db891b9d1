"""What a strategy wants people to know."""

from __future__ import annotations

import msgspec

ALERT_LEVELS = ("debug", "info", "warning", "critical", "emergency")


class StrategyAlert(msgspec.Struct, frozen=True, gc=False):
    """Words of a strategy on the topic ``alert.<level>``; ``ts`` is the time of the run."""

    strategy_id: str
    message: str
    ts: int
