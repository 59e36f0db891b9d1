"""What shall change in a running session: read from a file or from options, checked, and shown as a difference.

Two kinds of files are understood: a session's settings file, of which ``params`` and ``risk`` may change while it runs,
and a file of parameters alone::

    {
        "strategy": "dual_ma",
        "version": 1,
        "params": {"size": {"value": 0.5, "min": 0.1, "max": 1.0, "description": "fraction of equity"}},
        "risk": {"stop_loss_pct": 0.02, "take_profit_pct": 0.05, "max_position_size": 1000},
    }
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from lanner.backtest.config import RiskConfig
from lanner.backtest.config_file import anchored, merge, read_yaml
from lanner.backtest.mistakes import validate
from lanner.core.errors import ConfigError
from lanner.live.adjusting import check_params, check_risk, protection_of
from lanner.live.config import SessionConfig
from lanner.live.entries import entry_of, is_many
from lanner.strategy.base import as_fraction

if TYPE_CHECKING:
    from lanner.engine.engine import Engine

Plain = dict[str, Any]
RELOADABLE = frozenset({"params", "strategies", "risk", "reload", "name"})
_WHO = frozenset({"strategy", "strategies", "params"})
_SEED_KEYS = frozenset({"strategy", "version", "params", "risk"})
_DISTANCES = {"stop_loss_pct": "stop_loss", "take_profit_pct": "take_profit"}


@dataclass(slots=True)
class Wanted:
    """What somebody wants: parameters and protection by strategy id (``""``: the only one), and keys of ``risk``."""

    params: dict[str, Plain] = field(default_factory=dict)
    protection: dict[str, dict[str, str]] = field(default_factory=dict)
    risk: Plain = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Row:
    """One difference: of a strategy's parameter, of its protection, or of a limit."""

    kind: str
    strategy: str
    name: str
    before: Any
    after: Any

    @property
    def place(self) -> str:
        """Return what changes, as options name it."""
        return f"{'risk' if self.kind == 'risk' else self.strategy}.{self.name}"

    def as_dict(self) -> Plain:
        """Return the difference as plain data."""
        return {
            "kind": self.kind,
            "strategy": self.strategy,
            "name": self.name,
            "before": self.before,
            "after": self.after,
        }


@dataclass(slots=True)
class Change:
    """A checked change: its differences, and the control records that make it (action, particulars)."""

    rows: list[Row] = field(default_factory=list)
    controls: list[tuple[str, Plain]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.rows)


# -- reading ---------------------------------------------------------------------------------------------


def read_file(
    path: Path, session_id: str, engine: Engine, config: SessionConfig, last_good: Plain | None
) -> tuple[Wanted, Plain]:
    """Return what a file wants of a session, and its content; ``last_good`` is the content that it is compared with.

    Of a settings file only what was changed in it counts, because options and variables stood over it from the start:
    ``config`` is what came of them all. Of a file of several sessions the one with this id is meant.
    """
    values, _lines = read_yaml(path)
    if _is_seed_form(values):
        return _from_seed_form(values, path.name, engine), values
    own = entry_of(values, path, session_id) if is_many(values) else anchored(values, path.parent)
    return read_settings(own, path.name, engine, config, last_good), own


def read_settings(
    values: Plain, source: str, engine: Engine, config: SessionConfig, last_good: Plain | None
) -> Wanted:
    """Return what a session's settings want, compared with those that were good last."""
    beneath = config.to_plain()
    if "strategy" in values or "strategies" in values:
        beneath = {key: value for key, value in beneath.items() if key not in _WHO}
    validate(SessionConfig, merge(beneath, values), source=source)
    return _from_settings(values, last_good or {}, source, engine)


def _is_seed_form(values: Plain) -> bool:
    return "instruments" not in values and not set(values) - _SEED_KEYS


def _from_seed_form(values: Plain, source: str, engine: Engine) -> Wanted:
    if values.get("version", 1) != 1:
        raise ConfigError(f"{source}: unknown version", expected="1", found=values["version"])
    name = _strategy_named(str(values.get("strategy", "")), engine, source)
    params = _mapping(values.get("params"), f"{source}: params")
    wanted = Wanted(params={name: {key: _bounded(key, told, source) for key, told in params.items()}})
    for key, value in _mapping(values.get("risk"), f"{source}: risk").items():
        if key in _DISTANCES:
            wanted.protection.setdefault(name, {})[_DISTANCES[key]] = _distance(key, value, source)
        else:
            wanted.risk[key] = value
    if not _positive(wanted.risk.get("max_position_size", 1)):
        raise ConfigError(f"{source}: risk.max_position_size is out of range", expected="more than 0")
    return wanted


def _strategy_named(name: str, engine: Engine, source: str) -> str:
    """Return the id of the strategy that a file is for: by id, by registered name, or the only one."""
    found = [
        key
        for key, desk in engine.desks.items()
        if name in (key, type(desk.strategy).name, type(desk.strategy).__name__)
    ]
    if not name and len(engine.desks) == 1:
        found = list(engine.desks)
    if len(found) != 1:
        raise ConfigError(
            f"{source}: it is not clear which strategy is meant",
            expected=f"strategy: one of {', '.join(engine.desks)}",
            found=repr(name),
        )
    return found[0]


def _bounded(name: str, told: Any, source: str) -> Any:
    """Return a value that stands alone, or with its own bounds, which it must keep."""
    if not isinstance(told, Mapping):
        return told
    if "value" not in told:
        raise ConfigError(f"{source}: parameter {name!r} has no value", expected="value: …")
    value, low, high = told["value"], told.get("min"), told.get("max")
    for bound, word, breaks in ((low, "min", _below), (high, "max", _above)):
        if bound is not None and breaks(value, bound, f"{source}: parameter {name!r}"):
            raise ConfigError(
                f"{source}: parameter {name!r} is {'below its min' if word == 'min' else 'above its max'}",
                expected=f"at {'least' if word == 'min' else 'most'} {bound}",
                found=value,
            )
    return value


def _below(value: Any, bound: Any, what: str) -> bool:
    return _number(value, what) < _number(bound, f"{what}: min")


def _above(value: Any, bound: Any, what: str) -> bool:
    return _number(value, what) > _number(bound, f"{what}: max")


def _number(value: Any, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ConfigError(f"{what} is not a number", expected="a number", found=repr(value))
    return float(value)


def _positive(value: Any) -> bool:
    return not isinstance(value, bool) and isinstance(value, int | float) and value > 0


def _distance(key: str, value: Any, source: str) -> str:
    most = 1.0 if key == "stop_loss_pct" else math.inf
    number = _number(value, f"{source}: risk.{key}")
    if not 0 < number <= most:
        raise ConfigError(
            f"{source}: risk.{key} is out of range",
            expected="a fraction above 0" + (" and at most 1" if most == 1 else ""),
            found=value,
        )
    return f"{round(number * 100, 10):g}%"


def _from_settings(values: Plain, old: Plain, source: str, engine: Engine) -> Wanted:
    """Return what was changed in a settings file; what cannot change while it runs is refused."""
    fixed = sorted(
        key for key in values.keys() | old.keys() if key not in RELOADABLE and values.get(key) != old.get(key)
    )
    if old and fixed:
        raise ConfigError(
            f"{source}: {', '.join(fixed)} cannot be changed while the session runs",
            expected="changes of params and risk only",
            fix="Put them back, or start the session again.",
        )
    wanted = Wanted()
    ids = list(engine.desks)
    for number, (now, before) in enumerate(zip(_entries(values), _padded(_entries(old)), strict=False)):
        if old and {k: v for k, v in now.items() if k != "params"} != {
            k: v for k, v in before.items() if k != "params"
        }:
            raise ConfigError(f"{source}: strategies cannot be exchanged while the session runs")
        params, was = _mapping(now.get("params"), "params"), _mapping(before.get("params"), "params")
        gone = sorted(set(was) - set(params))
        changed = {name: value for name, value in params.items() if not old or was.get(name) != value}
        defaults = {
            name: type(engine.desks[ids[number]].strategy).parameters()[name].default for name in gone
        }
        wanted.params[ids[number]] = {**changed, **defaults}
    risk, was = _mapping(values.get("risk"), "risk"), _mapping(old.get("risk"), "risk")
    wanted.risk = {
        key: risk.get(key) for key in risk.keys() | was.keys() if not old or risk.get(key) != was.get(key)
    }
    return wanted


def _entries(values: Plain) -> list[Plain]:
    if values.get("strategies") is not None:
        return [_mapping(entry, "strategies") for entry in values["strategies"]]
    return [{"params": values.get("params")}]


def _padded(entries: list[Plain]) -> list[Plain]:
    return [*entries, *({} for _ in range(100))]


def _mapping(value: Any, what: str) -> Plain:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ConfigError(
            f"{what} is not a mapping", expected="`name: value` entries", found=repr(value)[:60]
        )
    return dict(value)


def read_options(texts: Sequence[str], engine: Engine) -> Wanted:
    """Return what ``NAME=VALUE`` texts want: a parameter, ``STRATEGY.NAME`` of several, or ``risk.NAME``."""
    wanted = Wanted()
    for text in texts:
        name, found, value = text.partition("=")
        if not found or not name.strip():
            raise ConfigError(
                "a change cannot be read", expected="NAME=VALUE, e.g. size=0.5", found=repr(text)
            )
        try:
            parsed = yaml.safe_load(value)
        except yaml.YAMLError:
            parsed = value
        place, dot, key = name.strip().rpartition(".")
        if place == "risk":
            wanted.risk[key] = parsed
            continue
        owner = place if dot else _owner(key, engine)
        if key in PROTECTION_NAMES:
            distance = str(parsed or "")
            wanted.protection.setdefault(owner, {})[key] = distance
        else:
            wanted.params.setdefault(owner, {})[key] = parsed
    return wanted


PROTECTION_NAMES = frozenset({"stop_loss", "take_profit"})


def _owner(name: str, engine: Engine) -> str:
    """Return the strategy that has a parameter; without a doubt there must be one."""
    own = [key for key, desk in engine.desks.items() if name in desk.strategy.parameters()]
    if len(own) == 1 or (not own and len(engine.desks) == 1):
        return own[0] if own else next(iter(engine.desks))
    words = own or list(engine.desks)
    raise ConfigError(
        f"it is not clear whose {name!r} is meant" if own else f"no strategy has a parameter {name!r}",
        expected=f"STRATEGY.{name}=VALUE with one of {', '.join(words)}",
    )


# -- checking --------------------------------------------------------------------------------------------


def check_change(wanted: Wanted, engine: Engine, baked: Mapping[str, frozenset[str]]) -> Change:
    """Return the change that leads from what is to what is wanted; raise ``ConfigError`` for what cannot be.

    ``baked`` names parameters that strategies used when they started.
    """
    change = Change()
    risk_now = dict(engine.execution.limits.settings)
    for strategy_id in wanted.params.keys() | wanted.protection.keys():
        if strategy_id not in engine.desks:
            raise ConfigError(
                f"no strategy {strategy_id!r} in this session", expected=f"one of {', '.join(engine.desks)}"
            )
        rows = _strategy_rows(strategy_id, wanted, engine, baked.get(strategy_id, frozenset()))
        if rows:
            change.rows += rows
            change.controls.append(("params", _details(strategy_id, rows)))
    risk = {key: value for key, value in {**risk_now, **wanted.risk}.items() if value is not None}
    plain = risk_plain(risk)
    rows = [
        Row("risk", "", key, risk_now.get(key), plain.get(key))
        for key in sorted(plain.keys() | risk_now.keys())
        if plain.get(key) != risk_now.get(key)
    ]
    if rows:
        check_risk(engine, plain)
        change.rows += rows
        change.controls.append(("risk", {"risk": plain}))
    return change


def risk_plain(risk: Mapping[str, Any]) -> Plain:
    """Return settings of limits as plain data, checked, with their defaults."""
    config: RiskConfig = validate(RiskConfig, risk, source="risk")
    plain: Plain = config.model_dump(mode="json", exclude_none=True)
    return plain


def _strategy_rows(strategy_id: str, wanted: Wanted, engine: Engine, baked: frozenset[str]) -> list[Row]:
    desk = engine.desks[strategy_id]
    strategy = desk.strategy
    now = strategy.values()
    parsed = check_params(strategy, wanted.params.get(strategy_id, {}))
    changed = {name: value for name, value in parsed.items() if now[name] != value}
    vain = sorted(set(changed) & baked)
    if vain and not strategy.overrides("on_params"):
        raise ConfigError(
            f"{strategy_id} uses {', '.join(vain)} when it starts, so a change would do nothing now",
            expected="parameters that handlers read, or a strategy with on_params",
            fix="Start the session again with the new value, or define on_params in the strategy.",
        )
    rows = [Row("params", strategy_id, name, now[name], value) for name, value in sorted(changed.items())]
    guarded = protection_of(desk)
    for name, distance in sorted(wanted.protection.get(strategy_id, {}).items()):
        if guarded[name] != distance:
            _check_distance(name, distance)
            rows.append(Row("protection", strategy_id, name, guarded[name], distance))
    return rows


def _check_distance(name: str, distance: str) -> None:
    if not distance:
        return
    fraction = as_fraction(distance)
    if fraction <= 0 or (name == "stop_loss" and fraction > 1):
        raise ConfigError(
            f"{name} is out of range",
            expected='a distance above 0, e.g. "2%"' + (", at most 100%" if name == "stop_loss" else ""),
            found=repr(distance),
        )


def _details(strategy_id: str, rows: Sequence[Row]) -> Plain:
    return {
        "strategy": strategy_id,
        "values": {row.name: row.after for row in rows if row.kind == "params"},
        "protection": {row.name: row.after for row in rows if row.kind == "protection"},
    }


def seed_form(engine: Engine, strategy_id: str) -> Plain:
    """Return what is now for a strategy, in the form of a file of parameters."""
    desk = engine.desks[strategy_id]
    params = {}
    for name, param in desk.strategy.parameters().items():
        told: Plain = {"value": getattr(desk.strategy, name)}
        told |= {key: bound for key, bound in (("min", param.low), ("max", param.high)) if bound is not None}
        params[name] = {**told, "description": param.help}
    risk = dict(engine.execution.limits.settings)
    guarded = protection_of(desk)
    for key, name in _DISTANCES.items():
        if guarded[name]:
            risk[key] = float(as_fraction(guarded[name]))
    return {"strategy": desk.strategy_id, "version": 1, "params": params, "risk": risk}
