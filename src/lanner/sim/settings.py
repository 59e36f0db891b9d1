"""What a simulated venue assumes. Every field here is an assumption that a report must name."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from lanner.core.errors import ConfigError
from lanner.model.instruments import FeeSchedule


class SlippageModel(StrEnum):
    """How far a taker's price is moved against him."""

    NONE = "none"
    BPS = "bps"
    TICKS = "ticks"
    VOLUME = "volume"


class MarketOn(StrEnum):
    """At which price of a bar a market order is filled."""

    NEXT_OPEN = "next_open"
    CLOSE = "close"


class LimitOn(StrEnum):
    """What must happen before a resting limit order is filled."""

    THROUGH = "through"
    TOUCH = "touch"


class GapFill(StrEnum):
    """At which price a resting limit order is filled when the market opens beyond it."""

    LIMIT = "limit"
    OPEN = "open"


class FundingMode(StrEnum):
    """What to do about funding of perpetuals."""

    DATA = "data"
    ASSUME_ZERO = "assume-zero"


class LatencyKind(StrEnum):
    """Shape of a delay."""

    CONSTANT = "constant"
    NORMAL = "normal"
    INTERPOLATED = "interpolated"
    RECORDED = "recorded"


@dataclass(frozen=True, slots=True)
class Slippage:
    """Slippage of taker fills on bars and trades.

    ``value`` is in basis points for BPS, in ticks for TICKS; for VOLUME it is the impact coefficient k of the
    square-root law: k · volatility-free √(order qty / bar volume), as a fraction of price.
    """

    model: SlippageModel = SlippageModel.BPS
    value: Decimal = Decimal(5)

    def __post_init__(self) -> None:
        if not self.value.is_finite() or self.value < 0:
            raise ConfigError("slippage must not be negative", expected="a number >= 0", found=self.value)


@dataclass(frozen=True, slots=True)
class Latency:
    """A delay in nanoseconds: constant, normal (mean, sigma; never below 0), or linear between points.

    RECORDED is what the data themselves say, by their receive times; only a feed can be that.
    """

    kind: LatencyKind = LatencyKind.CONSTANT
    mean_ns: int = 0
    sigma_ns: int = 0
    points: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        if self.mean_ns < 0 or self.sigma_ns < 0 or any(delay < 0 for _, delay in self.points):
            raise ConfigError("a latency must not be negative", expected="a number >= 0")
        if self.kind is LatencyKind.INTERPOLATED and [t for t, _ in self.points] != sorted(
            t for t, _ in self.points
        ):
            raise ConfigError("latency points are out of order", expected="points sorted by time")

    @property
    def is_zero(self) -> bool:
        """Tell whether the delay is always 0."""
        return self.kind is not LatencyKind.RECORDED and not (
            self.mean_ns or self.sigma_ns or any(delay for _, delay in self.points)
        )


@dataclass(frozen=True, slots=True)
class LatencySettings:
    """The four delays between a venue and us, and what each kind of command costs on the way in.

    ``feed``: venue event → our receipt. ``entry``: command leaves → venue has it (``cancel`` and ``amend``
    default to it). ``exchange``: the venue's own processing. ``response``: report leaves → our receipt.
    """

    feed: Latency = Latency()
    entry: Latency = Latency()
    exchange: Latency = Latency()
    response: Latency = Latency()
    cancel: Latency | None = None
    amend: Latency | None = None

    def __post_init__(self) -> None:
        ways = (self.entry, self.exchange, self.response, self.cancel, self.amend)
        if any(way is not None and way.kind is LatencyKind.RECORDED for way in ways):
            raise ConfigError("only the delay of the feed can be a recorded one", expected="latency.feed")


@dataclass(frozen=True, slots=True)
class FillSettings:
    """How orders meet the market.

    ``participation`` bounds a fill to this fraction of the displayed or printed quantity (quotes, trades) or
    of the bar's volume (bars; 0 there means no bound). ``walk_ticks`` is how many ticks behind the best price
    a taker may walk on quotes; each is assumed to hold as much as the best level showed.
    """

    market_on: MarketOn = MarketOn.NEXT_OPEN
    limit_on: LimitOn = LimitOn.THROUGH
    gap_fill: GapFill = GapFill.LIMIT
    participation: float = 1.0
    bar_participation: float = 0.0
    walk_ticks: int = 50

    def __post_init__(self) -> None:
        if not 0 < self.participation <= 1 or not 0 <= self.bar_participation <= 1:
            raise ConfigError(
                "participation is out of range", expected="a fraction in (0, 1]", found=self.participation
            )
        if self.walk_ticks < 0:
            raise ConfigError(
                "walk_ticks must not be negative", expected="a whole number >= 0", found=self.walk_ticks
            )


@dataclass(frozen=True, slots=True)
class VenueSettings:
    """One simulated venue: its costs, delays, rules and the money we keep there.

    ``balances`` is money by currency at the start. ``fees`` overrides the instruments' schedules when given.
    ``leverage`` is what the account asks for; each instrument's ``max_leverage`` bounds it.
    """

    name: str
    balances: dict[str, Decimal] = field(default_factory=dict)
    fees: FeeSchedule | None = None
    slippage: Slippage = Slippage()
    latency: LatencySettings = LatencySettings()
    fills: FillSettings = FillSettings()
    leverage: Decimal = Decimal(1)
    funding: FundingMode = FundingMode.DATA

    def __post_init__(self) -> None:
        if not self.leverage.is_finite() or self.leverage < 1:
            raise ConfigError("leverage must be at least 1", expected="a number >= 1", found=self.leverage)
