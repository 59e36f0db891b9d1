"""A WebSocket that stays: connects, watches, gives up on the dead, connects again, and says so.

The keeper (``WebSocket``) owns states, heartbeats, pacing and counts; the bytes are moved by a wire (``net.wires``).
A received frame runs from the loop's read callback straight into ``on_frame``: no task, no queue.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from random import Random

from lanner.core.errors import LannerError
from lanner.net.backoff import Backoff
from lanner.net.errors import ConnectFailed
from lanner.net.outbox import Outbox, Pacer
from lanner.net.pulse import Beat, Pulse
from lanner.net.socket_settings import Pings, SocketSettings
from lanner.net.status import LINK_STEPS, LinkState, LinkStatus, safe_url
from lanner.net.wallclock import mono_ns, wall_ns
from lanner.net.wires import Wire, WireFailed, open_wire

_LOG = logging.getLogger(__name__)

OnFrame = Callable[[bytes, int], None]
OnStatus = Callable[[LinkStatus], None]
OnFault = Callable[[Exception, bytes, int], None]


class WebSocket:
    """Keep one connection.

    ``on_frame(payload, ts_recv)`` gets every message, text or binary. ``on_open(socket)`` is called after each
    (re)connect, before any frame: subscribe and log on there. ``on_status`` gets a record at each change of state
    and each attempt. ``on_fault(error, payload, ts_recv)`` gets what a callback raised, with the frame that did it:
    the connection goes on. All callbacks run inside the event loop and must not wait.
    """

    def __init__(
        self,
        settings: SocketSettings,
        *,
        on_frame: OnFrame,
        on_status: OnStatus | None = None,
        on_open: Callable[[WebSocket], None] | None = None,
        on_fault: OnFault | None = None,
        rng: Random | None = None,
    ) -> None:
        self.settings = settings
        self.state = LinkState.DISCONNECTED
        self._url = settings.url
        self._on_frame = on_frame
        self._on_status = on_status
        self._on_open = on_open
        self._on_fault = on_fault
        self._backoff = Backoff(
            settings.backoff_base_s, settings.backoff_cap_s, settings.attempts, settings.jitter, rng
        )
        self._tls: ssl.SSLContext | None = None
        self._wire: Wire | None = None
        self._task: asyncio.Task[None] | None = None
        self._lost: asyncio.Future[None] | None = None
        self._changed = asyncio.Event()
        self._stopping = False
        self._at_once = False
        self._not_before_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._pulse: Pulse | None = None
        self._text_ping = settings.heartbeat.pings is Pings.TEXT
        self._is_pong = settings.heartbeat.is_pong
        self._pinged_ns = 0
        self._awaits_pong = False
        self._doubts: asyncio.TimerHandle | None = None
        self._pacer = Pacer(settings.sends_per_s) if settings.sends_per_s > 0 else None
        self._outbox = Outbox()
        self._outbox_timer: asyncio.TimerHandle | None = None
        self._reason = ""
        self._since: int | None = None
        self._last_recv: int | None = None
        self._latency: int | None = None
        self._controls = 0
        self._sent = self._received = self._received_bytes = 0
        self._refused = self._dropped = self._faults = self._reconnects = 0

    # -- life ------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Begin to connect, in the background."""
        if self._task is not None and not self._task.done():
            raise LannerError(f"connection {self.settings.name!r} is already running")
        if self._tls is None and self._url.startswith("wss://"):
            self._tls = self.settings.tls.context()
        self._stopping = False
        self._backoff.reset()
        self._become(LinkState.CONNECTING, "start")
        self._task = asyncio.create_task(self._run(), name=f"websocket {self.settings.name}")

    async def wait_connected(self, timeout_s: float | None = None) -> None:
        """Return when the connection stands. Raises ``ConnectFailed`` when it gave up, or after the time."""
        try:
            async with asyncio.timeout(timeout_s):
                while self.state is not LinkState.CONNECTED:
                    if self.state in (LinkState.FAILED, LinkState.DISCONNECTED):
                        raise self._no_connection()
                    await self._changed.wait()
        except TimeoutError:
            raise self._no_connection() from None

    async def stop(self) -> None:
        """Close cleanly (code 1000) and stay closed."""
        self._stopping = True
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        wire = self._let_go()
        if self.state is not LinkState.DISCONNECTED:
            self._become(LinkState.DISCONNECTED, "stopped")
        if wire is not None:
            await wire.close(1000, self.settings.close_timeout_s)

    def reconnect(self, reason: str) -> None:
        """Drop the connection now and make a new one: at once when this one had settled, else after the back-off."""
        if self._wire is not None:
            self._at_once = self._settled()
            self._wire.abort()
            self.on_lost(reason)

    def doubt(self, within_s: float) -> None:
        """Ask for a sign of life now; a connection that gives none within so many seconds is made anew.

        For whoever waits in vain for an answer: a connection may stand although nobody is at its other end, and its
        heartbeat takes a while to notice.
        """
        if self._wire is None or self._doubts is not None:
            return
        self._ping(self._wire)
        heard = self._received + self._controls
        self._await_life(self._wire, heard, within_s)

    def _await_life(self, wire: Wire, heard: int, within_s: float) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + within_s

        def judge() -> None:
            self._doubts = None
            if self._wire is not wire or self._received + self._controls != heard:
                return
            if loop.time() - due > within_s:  # we slept ourselves: its words may still wait in the socket
                self._await_life(wire, heard, within_s)
            else:
                self.reconnect(f"no sign of life within {within_s:g} s of being asked for one")

        self._doubts = loop.call_at(due, judge)

    def move(self, url: str) -> None:
        """Use another address from the next connection on (a fresh listen key, say)."""
        if url.startswith("wss://") and self._tls is None:
            self._tls = self.settings.tls.context()
        self._url = url

    def listen(self, on_frame: Callable[[bytes, int], None]) -> None:
        """Hand frames to another listener from the next one on."""
        self._on_frame = on_frame

    # -- sending ---------------------------------------------------------------------------------------

    def send(self, payload: str | bytes, *, urgent: bool = False, binary: bool = False) -> bool:
        """Send a message now, or as soon as the pace allows; urgent ones before all that wait.

        False: refused, since there is no connection or the send buffer is full. True says that the message was
        taken for this connection, not that it arrived: what a connection loses in breaking is not sent again.
        """
        wire = self._wire
        data = payload.encode() if isinstance(payload, str) else payload
        if wire is None or wire.buffered() + self._outbox.size + len(data) > self.settings.send_buffer_bytes:
            self._refused += 1
            return False
        if self._pacer is not None:
            self._outbox.put(data, binary, urgent)
            self._post()
            return True
        if not wire.send(data, binary):
            self._refused += 1
            return False
        self._sent += 1
        return True

    def _post(self) -> None:
        """Send what the pace allows, and come back for the rest."""
        if self._outbox_timer is not None:
            self._outbox_timer.cancel()
            self._outbox_timer = None
        pacer = self._pacer
        while self._outbox and self._wire is not None and pacer is not None:
            wait_ns = pacer.wait_ns(mono_ns())
            if wait_ns > 0:
                loop = asyncio.get_running_loop()
                self._outbox_timer = loop.call_later(wait_ns / 1e9, self._post)
                return
            data, binary = self._outbox.take()
            if self._wire.send(data, binary):
                pacer.sent(mono_ns())
                self._sent += 1
            else:
                self._dropped += 1

    # -- what the wire tells ---------------------------------------------------------------------------

    def on_opened(self, wire: Wire) -> None:
        """Take over an open wire, before its first frame; one that comes after ``stop`` is dropped."""
        if self._stopping:
            wire.abort()
            return
        self._wire = wire
        self._since = wall_ns()
        self._awaits_pong = False
        self._latency = None
        pings = self.settings.heartbeat.pings is not Pings.NONE
        self._pulse = Pulse(self.settings.heartbeat_s, pings=pings, now_ns=mono_ns())
        self._timer = asyncio.get_running_loop().call_later(self._pulse.tick_s, self._tick)
        self._become(LinkState.CONNECTED, "")
        if self._on_open is not None and self._wire is wire:
            try:
                self._on_open(self)
            except Exception as error:  # noqa: BLE001 - without its subscriptions the connection is of no use
                self._fault(error, b"", wall_ns())
                wire.abort()
                self.on_lost(f"on_open raised {type(error).__name__}")

    def on_message(self, payload: bytes, ts_recv: int) -> None:
        """Count a message and hand it on; a callback that raises costs one fault, not the connection."""
        self._received += 1
        self._received_bytes += len(payload)
        self._last_recv = ts_recv
        if self._awaits_pong and self._is_pong is not None and self._is_text_pong(payload, ts_recv):
            return
        try:
            self._on_frame(payload, ts_recv)
        except Exception as error:  # noqa: BLE001 - the outermost loop of receiving: counted, reported, and on
            self._fault(error, payload, ts_recv)

    def on_control(self, ts_recv: int, pong: bytes | None) -> None:
        """Note a ping or a pong: a sign of life, and a measure of the way there and back."""
        self._controls += 1
        self._last_recv = ts_recv
        if pong is not None and self._awaits_pong and pong == str(self._pinged_ns).encode():
            self._awaits_pong = False
            self._latency = ts_recv - self._pinged_ns

    def on_lost(self, reason: str) -> None:
        """Learn that the wire is gone: say so at once, and let the keeper's task connect again."""
        settled = self._settled()
        self._let_go()
        if settled:
            self._backoff.reset()
        if self._stopping:
            return
        self._reconnects += 1
        self._become(LinkState.RECONNECTING, reason)
        if self._lost is not None and not self._lost.done():
            self._lost.set_result(None)

    # -- the keeper's task -----------------------------------------------------------------------------

    async def _run(self) -> None:
        try:
            await self._keep()
        except Exception as error:  # noqa: BLE001 - the keeper's end must be seen, whatever brought it
            self._let_go()
            self._fault(error, b"", wall_ns())
            self._become(LinkState.FAILED, f"{type(error).__name__} while connecting")

    async def _keep(self) -> None:
        while True:
            stood = await self._attempt()
            if stood and self._lost is not None:
                await self._lost
            wait_s = 0.0 if self._at_once else self._backoff.next()
            self._at_once = False
            if wait_s is None:
                self._become(LinkState.FAILED, f"{self._reason}; gave up after {self._backoff.made} attempts")
                return
            if not stood:
                self._become(LinkState.RECONNECTING, self._reason)
            await asyncio.sleep(max(wait_s, self._not_before_s))

    async def _attempt(self) -> bool:
        """Try once; True when the connection stands (or stood: on_open may have dropped it)."""
        self._not_before_s = 0.0
        self._lost = asyncio.get_running_loop().create_future()
        try:
            await open_wire(self.settings, self._url, self._tls, self)
        except WireFailed as failed:
            if self._wire is not None:  # the time limit struck just after the opening
                self._let_go()
            self._not_before_s = failed.retry_after_s
            self._reason = str(failed).replace(self._url, safe_url(self._url))
            return False
        return True

    def _tick(self) -> None:
        """Look after the connection, four times a heartbeat."""
        wire, pulse, since = self._wire, self._pulse, self._since
        if wire is None or pulse is None or since is None:
            return
        self._timer = asyncio.get_running_loop().call_later(pulse.tick_s, self._tick)
        beat = pulse.tick(mono_ns(), self._received + self._controls)
        if beat is Beat.DEAD:
            wire.abort()
            self.on_lost(f"no sign of life for more than {2 * self.settings.heartbeat_s:g} s")
        elif self.settings.max_age_s and wall_ns() - since > self.settings.max_age_s * 1e9:
            self.reconnect(f"planned, after {self.settings.max_age_s:g} s")
        elif beat is Beat.PING:
            self._ping(wire)

    def _ping(self, wire: Wire) -> None:
        self._pinged_ns = wall_ns()
        self._awaits_pong = True
        if self._text_ping:
            wire.send(self.settings.heartbeat.text, False)
        else:
            wire.ping(str(self._pinged_ns).encode())
        if self._pacer is not None:
            self._pacer.sent(mono_ns())

    # -- inside ----------------------------------------------------------------------------------------

    def _is_text_pong(self, payload: bytes, ts_recv: int) -> bool:
        try:
            if self._is_pong is None or not self._is_pong(payload):
                return False
        except Exception as error:  # noqa: BLE001 - as in on_message
            self._fault(error, payload, ts_recv)
            return False
        self._awaits_pong = False
        self._latency = ts_recv - self._pinged_ns
        return True

    def _settled(self) -> bool:
        return self._since is not None and wall_ns() - self._since >= self.settings.settled_s * 1e9

    def _let_go(self) -> Wire | None:
        """Forget the wire and all that belonged to it."""
        wire, self._wire = self._wire, None
        self._since = None
        self._dropped += self._outbox.clear()
        for timer in (self._timer, self._outbox_timer, self._doubts):
            if timer is not None:
                timer.cancel()
        self._timer = self._outbox_timer = self._doubts = None
        return wire

    def _become(self, state: LinkState, reason: str) -> None:
        LINK_STEPS.check(self.state, state, self.settings.name)
        self.state = state
        self._reason = reason
        self._changed.set()
        self._changed = asyncio.Event()
        if self._on_status is not None:
            try:
                self._on_status(self.status())
            except Exception as error:  # noqa: BLE001 - a listener's fault must not end the connection
                self._fault(error, b"", wall_ns())

    def _fault(self, error: Exception, payload: bytes, ts_recv: int) -> None:
        self._faults += 1
        try:
            if self._on_fault is None:
                _LOG.error("connection %s: a callback raised", self.settings.name, exc_info=error)
            else:
                self._on_fault(error, payload, ts_recv)
        except Exception:  # noqa: BLE001 - nobody is left to tell but the log
            _LOG.exception("connection %s: on_fault raised", self.settings.name)

    def _no_connection(self) -> ConnectFailed:
        return ConnectFailed(
            f"connection {self.settings.name!r} to {safe_url(self._url)} does not stand",
            expected="CONNECTED",
            found=f"{self.state.name}{f': {self._reason}' if self._reason else ''}",
        )

    def status(self) -> LinkStatus:
        """Return a record of this moment."""
        wire = self._wire
        return LinkStatus(
            name=self.settings.name,
            url=safe_url(self._url),
            state=self.state,
            ts=wall_ns(),
            reason=self._reason,
            wire="" if wire is None else wire.name,
            compressed=wire is not None and wire.compressed,
            attempts=self._backoff.made,
            reconnects=self._reconnects,
            connected_since=self._since,
            last_recv_ns=self._last_recv,
            latency_ns=self._latency,
            sent=self._sent,
            received=self._received,
            received_bytes=self._received_bytes,
            refused=self._refused,
            dropped=self._dropped,
            faults=self._faults,
            queued=len(self._outbox),
        )
