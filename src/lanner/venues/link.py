"""One product over HTTP: calls written at the last moment, limits, clock and nonces kept, answers judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar

from lanner.model.reports import OrderReport
from lanner.net.errors import ConnectFailed, NetError, RateLimited, Unanswered
from lanner.net.http import HttpClient
from lanner.net.http_settings import HttpAnswer, RetryPolicy, Timeouts
from lanner.net.nonces import Nonces
from lanner.net.ratelimit import Priority, RateLimiter
from lanner.net.socket_settings import Heartbeat as Beat
from lanner.net.socket_settings import Pings, SocketSettings
from lanner.net.timesync import ClockOffset, Probe
from lanner.net.tls import TlsSettings
from lanner.net.wallclock import wall_ns
from lanner.venues.codec import Call, Codec, Heartbeat, HttpRequest, OrderCall
from lanner.venues.errors import ErrorKind, Reason, VenueError

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

T = TypeVar("T")

RESERVE = 0.1
"""Share of each limit that is kept for cancels and stops."""
CLOCK_EVERY_S = 60.0
READS_WAIT_S = 75.0
"""How long a question may take with all its waiting: the venues' windows last a minute."""


class Link:
    """Ask one product.

    ``budget`` is a file through which processes of one address share its limits, ``own_budget`` one for the limits of
    an account, ``nonces`` one that keeps nonces from ever going back; all may be None. Questions wait up to
    ``reads_wait_s`` for their turn and their answer. While ``urgent`` is set they may touch what is kept for cancels
    and stops: a kill switch must not wait behind a download.

    ``open`` compares clocks; requests are then signed with the venue's time. ``on_alarm`` hears of a clock that is off
    by more than half a second.
    """

    def __init__(
        self,
        codec: Codec,
        *,
        key_id: str = "",
        budget: Path | None = None,
        own_budget: Path | None = None,
        nonces: Path | None = None,
        ca_file: str = "",
        timeouts: Timeouts | None = None,
        reads_wait_s: float = READS_WAIT_S,
        urgent: bool = False,
        on_alarm: Callable[[int], None] | None = None,
        rng: Random | None = None,
    ) -> None:
        self.codec = codec
        self.tls = TlsSettings(ca_file=ca_file or None)
        buckets = {name: (bucket.limit, bucket.interval_s) for name, bucket in codec.spec.buckets.items()}
        self.limiter = RateLimiter(
            buckets,
            shared=budget,
            apart=[name for name, bucket in codec.spec.buckets.items() if bucket.per_account],
            shared_apart=own_budget,
            reserve=RESERVE,
        )
        self.http = HttpClient(
            codec.endpoints.rest,
            tls=self.tls,
            timeouts=timeouts,
            limiter=self.limiter,
            retries=RetryPolicy(),
            usage_headers={
                bucket.header: name for name, bucket in codec.spec.buckets.items() if bucket.header
            },
            rng=rng,
        )
        self.clock = ClockOffset(self._probe, every_s=CLOCK_EVERY_S, on_alarm=on_alarm)
        self.urgent = urgent
        self.rights_from: Callable[[], AbstractAsyncContextManager[Link]] | None = None
        """Opens a link to the server that tells what the key may do, where the product's own does not."""
        self._reads_wait_s = reads_wait_s
        self.rng = rng or Random()
        self._key_id = key_id or codec.spec.product
        self._nonces = Nonces(nonces) if nonces is not None else None
        self._last_nonce = 0

    # -- life ----------------------------------------------------------------------------------------------

    async def open(self, *, follow: bool = False) -> None:
        """Compare clocks; with ``follow`` go on doing so every minute."""
        if follow:
            await self.clock.start()
        else:
            await self.clock.measure()

    async def close(self) -> None:
        """Close all connections."""
        await self.clock.stop()
        await self.http.close()
        self.limiter.close()
        if self._nonces is not None:
            self._nonces.close()

    def now_ms(self) -> int:
        """Return the venue's time in milliseconds, as far as it is known."""
        return self.clock.now_ms()

    def nonce(self) -> int:
        """Return a number that is larger than all before it, near the venue's time in milliseconds."""
        return self.stamp()[1]

    def stamp(self) -> tuple[int, int]:
        """Return ``now_ms`` and a ``nonce``: what a command is written with."""
        now_ms = self.clock.now_ms()
        if self._nonces is not None:
            return now_ms, self._nonces.next(self._key_id, now_ms)
        self._last_nonce = max(self._last_nonce + 1, now_ms)
        return now_ms, self._last_nonce

    def follow(self) -> None:
        """Compare clocks again every minute."""
        self.clock.follow()

    # -- questions -----------------------------------------------------------------------------------------

    async def ask(self, call: Call[T]) -> T:
        """Ask and return what the answer says; raise ``VenueError`` for whatever comes to nothing.

        When the venue's clock has moved away from where it was, it is compared anew and the question asked once more.
        """
        try:
            return await self._ask(call)
        except VenueError as error:
            if error.reason != Reason.CLOCK or not call.idempotent:
                raise
        await self._measure()
        return await self._ask(call)

    async def _measure(self) -> None:
        try:
            await self.clock.measure()
        except NetError as error:
            name = self.codec.spec.product
            raise VenueError(ErrorKind.RETRY, f"{name}: the clocks could not be compared: {error}") from error

    async def _ask(self, call: Call[T]) -> T:
        name = f"{self.codec.spec.product} {call.name}"
        try:
            answer = await self.http.send(
                lambda: self._built(call),
                costs=call.costs,
                priority=self.rank(call.priority),
                idempotent=call.idempotent,
                deadline_s=self._patience_s(call),
            )
        except ConnectFailed as error:
            raise VenueError(ErrorKind.RETRY, f"{name}: {error.message()}") from error
        except Unanswered as error:
            raise VenueError(ErrorKind.UNANSWERED, f"{name}: {error.message()}") from error
        except RateLimited as error:
            raise VenueError(
                ErrorKind.RATE_LIMITED,
                f"{name}: {error.message()}",
                retry_after_s=error.wait_s,
                fix="Ask again later: all programs on this machine draw on one budget.",
            ) from error
        fault = self.codec.fault(answer.status, answer.headers, answer.body)
        if fault is not None:
            raise fault
        try:
            told = call.parse(answer.body, answer.ts_recv)
        except VenueError:
            raise
        except Exception as error:
            raise VenueError(
                ErrorKind.MALFORMED,
                f"{name}: the answer cannot be understood ({type(error).__name__}: {error}): {_start(answer.body)}",
            ) from error
        if call.then is None or (told is not None and not isinstance(told, list)):
            return told
        more = await self.ask(call.then)
        return more if told is None else told + more  # type: ignore[call-overload]

    async def send_order(self, call: OrderCall, *, paid: bool = False) -> Sequence[OrderReport]:
        """Send a command over HTTP and return what is known of it then. Never raises, never sends twice.

        ``paid``: its costs are taken from the venue's limits already.
        """
        try:
            answer: HttpAnswer = await self.http.send(
                lambda: call.request(*self.stamp()),
                costs=None if paid else call.costs,
                priority=call.priority,
                idempotent=False,
            )
        except ConnectFailed as error:
            return call.refused(VenueError(ErrorKind.RETRY, error.message()), wall_ns())
        except RateLimited as error:
            return call.refused(VenueError(ErrorKind.RATE_LIMITED, error.message()), wall_ns())
        except Unanswered as error:
            return call.unanswered(error.message(), wall_ns())
        return call.answer(answer.status, answer.body, answer.ts_recv)

    def rank(self, priority: Priority) -> Priority:
        """Return whose turn a call is when the budget is short: everything is urgent for a kill switch."""
        return min(priority, Priority.STOP) if self.urgent else priority

    def _patience_s(self, call: Call[T]) -> float | None:
        """Let questions wait for the budget; what changes something is told soon that it cannot be sent."""
        return self._reads_wait_s if call.idempotent and call.priority is Priority.READ else None

    def _built(self, call: Call[T]) -> HttpRequest:
        return call.build(*self.stamp())

    async def _probe(self) -> Probe:
        call = self.codec.server_time()
        answer = await self.http.send(
            lambda: self._built(call),
            costs=call.costs,
            priority=self.rank(Priority.READ),
            idempotent=True,
            deadline_s=self._reads_wait_s,
        )
        fault = self.codec.fault(answer.status, answer.headers, answer.body)
        if fault is not None:
            raise fault
        return Probe(call.parse(answer.body, answer.ts_recv), answer.ts_sent, answer.ts_recv)


def socket_settings(
    name: str,
    url: str,
    heartbeat: Heartbeat,
    *,
    template: SocketSettings | None = None,
    tls: TlsSettings | None = None,
    sends_per_s: float = 0.0,
    max_age_s: float = 0.0,
) -> SocketSettings:
    """Turn a route's facts into the settings of a connection; ``template`` gives what a route does not tell."""
    pings = Pings.NONE if not heartbeat.ours else Pings.TEXT if heartbeat.ping_text else Pings.FRAME
    facts: dict[str, Any] = {
        "name": name,
        "url": url,
        "heartbeat_s": heartbeat.every_s,
        "heartbeat": Beat(pings, heartbeat.ping_text),
        "sends_per_s": sends_per_s,
        "max_age_s": max_age_s,
    }
    if template is not None:
        return replace(template, **facts)
    return SocketSettings(**facts, tls=tls or TlsSettings(), jitter=0.2)


def _start(body: bytes) -> str:
    return body[:200].decode(errors="replace")
