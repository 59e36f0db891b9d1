"""The dead-man's switch of a venue: it cancels all orders when we have not said for so long that we are well.

Only the session's own loop says so, and only while the session is well; so a process that is gone, frozen, broken or
without a network has its orders cancelled by the venue itself. Positions stay: closing them is the watchdog's work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from lanner.core.errors import ConfigError, LannerError
from lanner.model.features import Feature, Support
from lanner.venues.registry import product_of, product_spec

if TYPE_CHECKING:
    from lanner.live.build import Plan
    from lanner.venues.link import Link

TURNS = 3
"""How often within its time the switch is told that we are well: two may be lost."""


def check_dead_man(plan: Plan) -> None:
    """Refuse a dead-man's switch at venues that have none."""
    if plan.config.recovery.dead_man_s is None or plan.config.mode != "live":
        return
    for product in plan.products:
        if product_spec(product).capabilities.get(Feature.DEAD_MAN) is not Support.NATIVE:
            raise ConfigError(
                f"recovery.dead_man_s: {product} has no switch that cancels orders after a time",
                fix="Leave it out; the watchdog does the same from here.",
            )


class DeadMan:
    """Keep the switches of a session's products armed; ``is_well`` says whether the session may claim to be alive."""

    def __init__(
        self,
        plan: Plan,
        links: Mapping[str, Link],
        is_well: Callable[[], bool],
        on_trouble: Callable[[str], None],
    ) -> None:
        assert plan.config.recovery.dead_man_s is not None
        self._seconds = plan.config.recovery.dead_man_s
        self._links = links
        self._own = {
            product: [name for name in plan.instruments if product_of(name) == product] for product in links
        }
        self._is_well = is_well
        self._on_trouble = on_trouble

    async def arm(self) -> None:
        """Arm all switches; raise what a venue answers when it refuses."""
        await self._tell(self._seconds)

    async def keep(self) -> None:
        """Say that we are well, as long as we are."""
        while True:
            await asyncio.sleep(self._seconds / TURNS)
            if not self._is_well():
                continue
            try:
                await self.arm()
            except LannerError as error:
                self._on_trouble(f"the dead-man's switch could not be set: {error.message()}")

    async def disarm(self) -> None:
        """Take the switches back: what is left at the venue shall stay there."""
        try:
            await self._tell(None)
        except LannerError as error:
            self._on_trouble(f"the dead-man's switch could not be taken back: {error.message()}")

    async def _tell(self, seconds: float | None) -> None:
        for product, link in self._links.items():
            for call in link.codec.dead_man(seconds, self._own[product]):
                await link.ask(call)
