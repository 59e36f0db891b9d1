"""Timers that came due while the strategies rested: each of them is told once when they work again.

A strategy that sets its next timer in ``on_timer`` would otherwise never hear of one again, and one with a timer of a
second would act sixty times at once after a minute.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lanner.core.clock import TimerEvent

if TYPE_CHECKING:
    from lanner.engine.engine import Engine
    from lanner.model.commands import Command


class LateTimers:
    """The newest missed turn of each timer."""

    __slots__ = ("_missed",)

    def __init__(self) -> None:
        self._missed: dict[tuple[str, str], TimerEvent] = {}

    def keep(self, timer: TimerEvent) -> None:
        """Remember a turn; an earlier one of the same timer is left out."""
        self._missed[timer.owner, timer.name] = timer

    def drop(self, owner: str, name: str) -> bool:
        """Forget a turn whose timer was set anew or taken back; tell whether there was one."""
        return self._missed.pop((owner, name), None) is not None

    def fire(self, engine: Engine) -> list[Command]:
        """Tell the strategies of an engine what they missed, earliest first, unless they still rest."""
        if self._missed and not engine.paused:
            missed = sorted(self._missed.values())
            self._missed.clear()
            for timer in missed:
                engine.tell_timer(timer)
            return engine.flush()
        return []
