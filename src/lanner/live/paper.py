"""Paper trading: live market data, orders matched by the backtest's own simulated venue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from lanner.backtest.driver import Driver
from lanner.backtest.wires import Plan as Wiring
from lanner.live.assumptions import paper_venue
from lanner.model.market import Bar
from lanner.sim.venue import SimVenue

if TYPE_CHECKING:
    from lanner.engine.engine import Engine
    from lanner.live.build import Plan
    from lanner.live.heart import Heart
    from lanner.model.commands import Command


class PaperVenues:
    """The simulated venues of a session and what travels between them and the engine.

    It is the backtest's driver, fed with messages as they come and with the time as it passes.
    """

    def __init__(self, heart: Heart, plan: Plan) -> None:
        names = dict.fromkeys(instrument.venue for instrument in plan.instruments.values())
        modes = dict.fromkeys(plan.instruments, "quotes")
        venues = {
            name: SimVenue(
                paper_venue(plan.config, name, plan.currency),
                {key: one for key, one in plan.instruments.items() if one.venue == name},
                modes,
                heart.rng.split(f"venue/{name}"),
            )
            for name in names
        }
        # the heart shows the driver all that it needs of an engine, and writes down what passes
        self._driver = Driver(cast("Engine", heart), venues, Wiring(modes=modes))
        self.venues = venues

    @property
    def next_due(self) -> int:
        """Return the time of what happens next: something arrives, or a timer fires."""
        return self._driver.next_due

    def data(self, message: Any) -> None:
        """Show a message to its venue and to the engine."""
        if type(message) is not Bar:
            self._driver.play_one(message)
        else:  # a bar tells the engine what quotes have told the venue already
            self._driver.drain(message.ts_recv)
            self._driver.dispatch(self._driver.engine.step(message), message.ts_recv)
        self._driver.drain(message.ts_recv)

    def send(self, commands: list[Command], now: int) -> None:
        """Send commands that did not come from a message: of a start, a control, a person."""
        self._driver.dispatch(commands, now)
        self._driver.drain(now)

    def pass_time(self, now: int) -> None:
        """Let everything that is due by now happen."""
        self._driver.drain(now)
