"""Which dialects there are, and how one is made. Nothing is imported before it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, cast

from lanner.core.errors import ConfigError, NotFoundError

if TYPE_CHECKING:
    from lanner.simulator.dialect import Dialect
    from lanner.simulator.exchange import Exchange

_MAKERS: Mapping[str, str] = {
    "hyperliquid": "lanner.simulator.dialects.hyperliquid:make",
    "binance-spot": "lanner.simulator.dialects.binance.spot:make",
    "binance-usdm": "lanner.simulator.dialects.binance.usdm:make",
}
"""``module:attribute`` of ``make(exchange, options: Mapping[str, str], seed: int) -> Dialect``."""

DIALECTS = tuple(_MAKERS)


def check_dialect(name: str) -> str:
    """Return the name, or raise ``NotFoundError`` naming the dialects there are."""
    if name not in _MAKERS:
        raise NotFoundError(f"no dialect {name!r}", expected=f"one of {', '.join(DIALECTS)}")
    return name


def make_dialect(name: str, exchange: Exchange, options: Mapping[str, str], seed: int = 0) -> Dialect:
    """Return a dialect over an exchange. ``options`` are its own, as text; a wrong one raises ``ConfigError``."""
    module, _, attribute = _MAKERS[check_dialect(name)].partition(":")
    make = getattr(import_module(module), attribute)
    try:
        return cast("Dialect", make(exchange, options, seed))
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{name}: an option cannot be used", found=error) from error
