"""What a backtest needs to know, as plain data. ``config.py`` makes one from YAML and options."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from lanner.model.instruments import Instrument
from lanner.risk.checks import RiskLimits
from lanner.sim.settings import VenueSettings
from lanner.strategy.base import Strategy

if TYPE_CHECKING:
    import polars as pl

    from lanner.storage.passport import Passport


@dataclass(slots=True)
class Stream:
    """One data set that is played: time-ordered chunks in the catalog's columns.

    ``chunks(since, until)`` starts a fresh pass over [since, until) in UNIX ns; either end may be None.
    """

    kind: str
    instrument_id: str
    spec: str
    rows: int
    start_ns: int
    end_ns: int
    content_hash: str
    synthetic: bool
    passport: Passport | None
    chunks: ChunkSource
    label: str = ""

    @property
    def name(self) -> str:
        """Return what people call the data set."""
        return self.label or f"{self.instrument_id}@{self.spec or self.kind}"


class ChunkSource:
    """A callable that opens a data set; subclassed by what reads the catalog or holds frames in memory."""

    def __call__(self, since_ns: int | None, until_ns: int | None) -> Iterable[pl.DataFrame]:
        """Return the frames of [since, until), in time order."""
        raise TypeError("a chunk source must say how it is read")


@dataclass(slots=True)
class StrategyEntry:
    """A strategy of the run with its share of the capital and the instruments it may trade (empty: all)."""

    strategy: Strategy
    allocation: float
    instruments: tuple[str, ...] = ()


@dataclass(slots=True)
class BacktestSpec:
    """Everything that determines a backtest's result.

    ``[since_ns, until_ns)`` bounds trading; bars before ``since_ns`` warm the indicators up. ``detail`` names a
    finer timeframe of the same instrument that decides fills. ``max_points`` bounds the equity curve.
    """

    name: str
    run_id: str
    strategies: list[StrategyEntry]
    streams: list[Stream]
    instruments: dict[str, Instrument]
    venues: dict[str, VenueSettings]
    currency: str
    since_ns: int | None = None
    until_ns: int | None = None
    detail: str | None = None
    seed: int = 1
    risk: RiskLimits = field(default_factory=RiskLimits)
    rates: Mapping[str, Decimal] = field(default_factory=dict)
    config: dict[str, object] = field(default_factory=dict)
    max_points: int = 1_000_000
    source_hash: str = ""
    log: Callable[[int, str, str], None] | None = None


@dataclass(slots=True, frozen=True)
class Progress:
    """How far a run is: phase, events done and in total, and the simulated time (UNIX ns)."""

    phase: str
    done: int
    total: int
    ts: int
