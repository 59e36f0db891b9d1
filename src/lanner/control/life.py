"""Where a managed session is, for any thread: each step is one of the table's, and whoever waits is woken."""

from __future__ import annotations

import threading
from collections.abc import Callable

from lanner.control.errors import NotRunningError, PausedError
from lanner.control.states import ACTIVE, ALIVE, LIFE, LiveStatus


class Life:
    """Hold the state of one session. ``changed`` guards it; ``on_move`` is called after each step, without the lock."""

    def __init__(self, name: str, on_move: Callable[[LiveStatus], None]) -> None:
        self.state = LiveStatus.STOPPED
        self.changed = threading.Condition(threading.RLock())
        self._name = name
        self._on_move = on_move

    @property
    def is_alive(self) -> bool:
        """Tell whether there is a thread."""
        return self.state in ALIVE

    @property
    def is_active(self) -> bool:
        """Tell whether the session trades, or would when it is resumed."""
        return self.state in ACTIVE

    def move(self, state: LiveStatus) -> None:
        """Go on to another state; raise for a step that the table does not have."""
        with self.changed:
            if state is self.state:
                return
            LIFE.check(self.state, state, self._name)
            self.state = state
            self.changed.notify_all()
        self._on_move(state)

    def wait(self, holds: Callable[[], bool], timeout_s: float | None) -> bool:
        """Wait until something holds that follows from the state; tell whether it does."""
        with self.changed:
            return self.changed.wait_for(holds, timeout_s)

    def need(self, *states: LiveStatus) -> None:
        """Raise ``NotRunningError`` unless the session is in one of these states."""
        state = self.state
        if state not in states:
            raise NotRunningError(f"session {self._name} does not run", found=state.value)

    def need_trading(self) -> None:
        """Raise unless the session takes orders."""
        if self.state is LiveStatus.PAUSED:
            raise PausedError(f"session {self._name} is paused", fix="Resume it first.")
        self.need(LiveStatus.RUNNING, LiveStatus.RECONNECTING)
