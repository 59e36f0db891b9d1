"""The rules of a ``RiskEngine``: numbers only, for the account or a part of it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


@dataclass(slots=True, frozen=True)
class RiskRules:
    """Limits in the run's currency; None means no limit. Ratios are fractions, also where the name ends in ``_pct``.

    ``max_position_size`` and ``max_order_value`` bound one order, ``max_position_per_symbol`` what is held of an
    instrument after it, ``max_exposure`` what is held of all together. ``price_collar`` is how far a limit price may
    lie from the mark, ``max_spread`` how wide the spread may be, both as fractions of the price. Losses of a day are
    counted from 00:00 UTC.
    """

    max_position_size: Decimal | None = None
    max_position_per_symbol: Decimal | None = None
    max_exposure: Decimal | None = None
    max_leverage: Decimal | None = None
    max_daily_loss: Decimal | None = None
    max_daily_loss_pct: Decimal | None = None
    max_drawdown_pct: Decimal | None = None
    max_orders_per_minute: int | None = None
    max_order_value: Decimal | None = None
    kill_switch_threshold: Decimal | None = None
    close_positions_on_kill_switch: bool = True
    allowed_symbols: tuple[str, ...] | None = None
    price_collar: Decimal | None = None
    max_quote_age_s: float | None = None
    max_spread: Decimal | None = None

    @classmethod
    def default(cls) -> RiskRules:
        """Return the limits of the preset ``default``."""
        return cls(
            max_position_size=Decimal(100_000),
            max_position_per_symbol=Decimal(50_000),
            max_leverage=Decimal(3),
            max_daily_loss=Decimal(5_000),
            max_daily_loss_pct=Decimal("0.05"),
            max_drawdown_pct=Decimal("0.20"),
            max_orders_per_minute=60,
            max_order_value=Decimal(50_000),
            kill_switch_threshold=Decimal(10_000),
        )

    @classmethod
    def conservative(cls) -> RiskRules:
        """Return the limits of the preset ``conservative``."""
        return cls(
            max_position_size=Decimal(25_000),
            max_position_per_symbol=Decimal(10_000),
            max_leverage=Decimal(1),
            max_daily_loss=Decimal(1_000),
            max_daily_loss_pct=Decimal("0.02"),
            max_drawdown_pct=Decimal("0.10"),
            max_orders_per_minute=30,
            max_order_value=Decimal(10_000),
            kill_switch_threshold=Decimal(2_000),
        )


PRESETS = {"default": RiskRules.default, "conservative": RiskRules.conservative}


class ScopeKind(StrEnum):
    """What a set of rules looks at."""

    ACCOUNT = "account"
    STRATEGY = "strategy"
    INSTRUMENT = "instrument"
    VENUE = "venue"

    @property
    def plural(self) -> str:
        """Return the key of the settings that holds the rules of this kind."""
        return "strategies" if self is ScopeKind.STRATEGY else f"{self}s"


@dataclass(slots=True, frozen=True)
class ScopedRules:
    """Rules and the part of the account that they are for; ``name`` is empty for the whole."""

    rules: RiskRules
    kind: ScopeKind = ScopeKind.ACCOUNT
    name: str = ""

    def covers(self, strategy_id: str, instrument_id: str) -> bool:
        """Tell whether a strategy's business in an instrument is in the scope."""
        match self.kind:
            case ScopeKind.ACCOUNT:
                return True
            case ScopeKind.STRATEGY:
                return strategy_id == self.name
            case ScopeKind.INSTRUMENT:
                return instrument_id == self.name
            case ScopeKind.VENUE:
                return instrument_id.rpartition(".")[2] == self.name

    @property
    def label(self) -> str:
        """Return the scope for people: the path of its settings."""
        return "" if self.kind is ScopeKind.ACCOUNT else f"{self.kind.plural}.{self.name}: "
