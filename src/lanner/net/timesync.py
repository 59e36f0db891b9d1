"""How far a venue's clock is from ours: the median of a few probes, at the start and again every minute."""

from __future__ import annotations

import asyncio
import logging
import statistics
from collections.abc import Awaitable, Callable

import msgspec

from lanner.core.errors import LannerError
from lanner.net.errors import NetError, Unanswered
from lanner.net.wallclock import wall_ns

_LOG = logging.getLogger(__name__)


class Probe(msgspec.Struct, frozen=True, gc=False):
    """One look at the server's clock: its time in milliseconds, between our times of sending and receiving (ns)."""

    server_ms: float
    ts_sent: int
    ts_recv: int

    @property
    def offset_ns(self) -> int:
        """Server's clock minus ours, taken at the middle of the way there and back."""
        return int(self.server_ms * 1e6) - (self.ts_sent + self.ts_recv) // 2


class ClockOffset:
    """Keep the offset to one server's clock.

    ``probe`` asks the server once. ``on_alarm(offset_ns)`` is called after each measurement that is off by more than
    ``alarm_ms``. A probe that fails costs that probe; when all fail, the last good offset stays. One that met silence
    was waited for and asked again as long as questions are: it is the last, so that nobody waits so long five times.
    """

    def __init__(
        self,
        probe: Callable[[], Awaitable[Probe]],
        *,
        probes: int = 5,
        every_s: float = 60.0,
        alarm_ms: float = 500.0,
        on_alarm: Callable[[int], None] | None = None,
        clock: Callable[[], int] | None = None,
    ) -> None:
        self.offset_ns = 0
        self.round_trip_ns: int | None = None
        self.measured_ns: int | None = None
        self.failures = 0
        self._probe = probe
        self._probes = probes
        self._every_s = every_s
        self._alarm_ns = int(alarm_ms * 1e6)
        self._on_alarm = on_alarm
        self._clock = clock or wall_ns
        self._task: asyncio.Task[None] | None = None

    async def measure(self) -> int:
        """Probe now and return the offset. Raises the last probe's error when all of them fail."""
        found: list[Probe] = []
        error: LannerError | None = None
        for _ in range(self._probes):
            try:
                found.append(await self._probe())
            except LannerError as failed:
                self.failures += 1
                error = failed
                if isinstance(failed, Unanswered):
                    break
        if not found:
            raise error or NetError("the server's clock was not asked", expected="at least one probe")
        self.offset_ns = int(statistics.median(probe.offset_ns for probe in found))
        self.round_trip_ns = int(statistics.median(probe.ts_recv - probe.ts_sent for probe in found))
        self.measured_ns = self._clock()
        if abs(self.offset_ns) > self._alarm_ns and self._on_alarm is not None:
            self._on_alarm(self.offset_ns)
        return self.offset_ns

    async def start(self) -> None:
        """Measure once, then keep measuring in the background."""
        await self.measure()
        self.follow()

    def follow(self) -> None:
        """Keep measuring in the background."""
        if self._task is None:
            self._task = asyncio.create_task(self._keep(), name="clock offset")

    async def stop(self) -> None:
        """Measure no more; the last offset stays."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def now_ns(self) -> int:
        """Return the server's time as far as we know, in nanoseconds."""
        return self._clock() + self.offset_ns

    def now_ms(self) -> int:
        """Return the server's time as far as we know, in milliseconds: what requests are signed with."""
        return self.now_ns() // 1_000_000

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        count = 0
        while True:
            count += 1
            await asyncio.sleep(max(0.0, began + count * self._every_s - loop.time()))
            try:
                await self.measure()
            except LannerError as error:
                _LOG.warning("the clock offset could not be measured: %s", error)
            except Exception:  # noqa: BLE001 - outermost loop: one odd answer must not end the watch
                _LOG.exception("measuring the clock offset raised")
