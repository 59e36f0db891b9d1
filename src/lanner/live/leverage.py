"""Leverage and margin mode of a live session's perpetuals, set at the venue before anything is traded.

They are the account's own settings and outlive the session. A session that is told no leverage leaves them as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import TYPE_CHECKING

from lanner.core.errors import ConfigError, LannerError
from lanner.model.accounts import MarginMode
from lanner.venues.registry import product_of

if TYPE_CHECKING:
    from lanner.core.bus import MessageBus
    from lanner.live.build import Plan
    from lanner.live.config import SessionConfig
    from lanner.model.instruments import Instrument
    from lanner.venues.link import Link

_MODES = {"cross": MarginMode.CROSS, "isolated": MarginMode.ISOLATED}


def check_leverage(config: SessionConfig, instruments: Mapping[str, Instrument]) -> None:
    """Refuse leverage that has no use, and more than an instrument has."""
    wanted = config.leverage
    if wanted is None:
        return
    perpetuals = [instrument for instrument in instruments.values() if not instrument.is_spot]
    if wanted > 1 and not perpetuals:
        raise ConfigError(
            f"leverage {wanted} has no use on spot: {', '.join(instruments)}",
            expected="leverage 1, or a perpetual such as BTC-PERP.HYPERLIQUID",
        )
    for instrument in perpetuals:
        if wanted > instrument.max_leverage:
            raise ConfigError(
                f"{instrument.id}: leverage {wanted} is more than the instrument allows",
                expected=f"at most {instrument.max_leverage}",
            )


async def set_leverage(links: Mapping[str, Link], plan: Plan, bus: MessageBus, *, lenient: bool) -> None:
    """Set what the session's settings say for each perpetual; raise ``ConfigError`` where the venue refuses.

    Venues know whole numbers: 2.5 becomes 3, the limit of the settings stays. ``lenient`` is for a session that goes on
    after a break: what it holds must be looked after, so a refusal is an alert then.
    """
    wanted, mode = plan.config.leverage, plan.config.margin_mode
    if wanted is None:
        return
    times = ceil(wanted)
    for name, instrument in plan.instruments.items():
        if instrument.is_spot:
            continue
        link = links[product_of(name)]
        try:
            for call in link.codec.set_leverage(name, times, _MODES[mode]):
                await link.ask(call)
        except LannerError as error:
            words = f"{name}: the venue does not take leverage {times} ({mode}): {error.message()}"
            if not lenient:
                raise ConfigError(
                    words,
                    expected="a leverage and a margin mode that the account may have now",
                    fix="Change `leverage` or `margin_mode`; without `leverage` the account's own settings stay. "
                    "A venue may refuse both while a position is open or an order works.",
                ) from error
            bus.publish("alert.warning", words)
