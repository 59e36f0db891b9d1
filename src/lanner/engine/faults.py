"""What can go wrong in a step: the user's own mistakes, and timers that the driver must play first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lanner.core.clock import TimerEvent
from lanner.core.errors import StrategyError
from lanner.engine.subscriptions import MissingSeriesError
from lanner.strategy.base import Strategy
from lanner.strategy.errors import moment, strategy_error

USER_FAULTS = (Exception, SystemExit)
"""What user code may raise and is shown as theirs; Ctrl-C is not among them."""


class TimersDue(Exception):  # noqa: N818 - a signal to the driver, not a fault
    """Raised instead of firing timers where the driver fires them itself; nothing has been changed."""


def blame(
    handler: Callable[..., None], error: BaseException, now: int, inputs: Sequence[Any]
) -> BaseException:
    """Turn what a strategy raised into an error that shows the user's own lines and where it happened."""
    strategy = getattr(handler, "__self__", None)
    if not isinstance(strategy, Strategy) or isinstance(error, MissingSeriesError):
        return error
    return strategy_error(error, strategy, f"in {handler.__name__} at {moment(now)}", list(inputs)[-5:])


def endless_timer(timer: TimerEvent) -> StrategyError:
    """Return the error of a timer that never lets time pass."""
    return StrategyError(
        f"{timer.owner}: timer {timer.name!r} is set anew for the moment at which it fires",
        expected="a time after now",
        fix="Look at on_timer: set_timer(at=self.now) never lets time pass.",
    )


def endless_news(rounds: int) -> StrategyError:
    """Return the error of handlers that answer each order's news with another order."""
    return StrategyError(
        "a strategy answers its own orders' news without end",
        expected=f"at most {rounds} rounds in one step",
        fix="Look at on_order and on_fill: they send an order for each one they hear of.",
    )
