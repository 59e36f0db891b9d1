"""What a session counts, and how it is: what people, guards and status views look at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lanner.net.status import LinkStatus


@dataclass(slots=True)
class SessionCounts:
    """What a session has seen since it was started."""

    data: int = 0
    reports: int = 0
    gaps: int = 0
    malformed: int = 0
    ticks: int = 0
    heartbeats: int = 0
    reconnects: int = 0
    faults: int = 0


@dataclass(slots=True)
class Health:
    """How a session is: what people and guards look at."""

    started_ns: int = 0
    last_data_ns: dict[str, int] = field(default_factory=dict)
    links: dict[str, LinkStatus] = field(default_factory=dict)
    offset_ms: dict[str, float] = field(default_factory=dict)
    last_error: str = ""
    ledger: str = ""
    """``up``, ``down: …``, or nothing where none is kept."""
