"""Turn the risk settings of a run into the limits that the engine holds."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from lanner.backtest.config import RiskConfig, RiskRulesConfig
from lanner.risk.checks import OnDeny, RiskLimits
from lanner.risk.rules import PRESETS, RiskRules, ScopedRules, ScopeKind

_NAMES = tuple(field.name for field in fields(RiskRules))


def limits_of_risk(risk: RiskConfig) -> RiskLimits:
    """Return the limits of the settings; the account's rules begin with the preset."""
    account = replace(PRESETS[risk.preset]() if risk.preset else RiskRules(), **_given(risk))
    rules = [ScopedRules(account)] if account != RiskRules() else []
    parts = (
        (ScopeKind.STRATEGY, risk.strategies),
        (ScopeKind.INSTRUMENT, risk.instruments),
        (ScopeKind.VENUE, risk.venues),
    )
    for kind, part in parts:
        for name, told in (part or {}).items():
            label = name.upper() if kind is ScopeKind.VENUE else name
            rules.append(ScopedRules(RiskRules(**_given(told)), kind, label))
    return RiskLimits(
        max_order_notional=risk.max_order_notional,
        max_position_notional=risk.max_position_notional,
        max_open_orders=risk.max_open_orders,
        max_intents_per_step=risk.max_intents_per_step,
        on_deny=OnDeny(risk.on_deny),
        rules=tuple(rules),
        resident_stops=risk.stops == "venue",
    )


def _given(told: RiskRulesConfig) -> dict[str, Any]:
    found = {name: getattr(told, name, None) for name in _NAMES}
    given = {name: value for name, value in found.items() if value is not None}
    if "allowed_symbols" in given:
        given["allowed_symbols"] = tuple(given["allowed_symbols"])
    return given
