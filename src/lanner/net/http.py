"""HTTP that can tell "never sent" from "never answered", and keeps the venue's limits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from random import Random
from typing import Protocol
from weakref import WeakSet

import aiohttp
import msgspec
from aiohttp.connector import Connection
from yarl import URL

from lanner.core.errors import ConfigError
from lanner.net.backoff import Backoff
from lanner.net.errors import ConnectFailed, NetError, RateLimited, Unanswered
from lanner.net.http_settings import HttpAnswer, HttpStats, RetryPolicy, Timeouts, retry_after_s
from lanner.net.ratelimit import Priority, RateLimiter
from lanner.net.status import safe_url
from lanner.net.tls import TlsSettings
from lanner.net.wallclock import wall_ns

LARGEST_ANSWER = 64 * 1024 * 1024


class Outgoing(Protocol):
    """A request as it goes over the wire; ``query`` is percent-encoded already and sent as it is."""

    @property
    def method(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def query(self) -> str: ...
    @property
    def body(self) -> bytes: ...
    @property
    def headers(self) -> Mapping[str, str]: ...


class _Plain(msgspec.Struct, frozen=True):
    method: str
    path: str
    query: str
    body: bytes
    headers: Mapping[str, str]


class _Broken(Exception):  # noqa: N818 - never leaves this module
    """Stands for aiohttp's broken-connection errors, which aiohttp itself would answer by sending again."""


class _Connections:
    """Count the connections that requests have gone over; aiohttp's pool does not tell."""

    __slots__ = ("_known", "_stats")

    def __init__(self, stats: HttpStats) -> None:
        self._stats = stats
        self._known: WeakSet[object] = WeakSet()

    def add(self, protocol: object) -> None:
        """Count a connection at its first use."""
        if protocol not in self._known:
            self._known.add(protocol)
            self._stats.connections += 1


class _Attempt:
    """One sending: remembers when a connection was at hand, from where on bytes may have left."""

    __slots__ = ("answer_s", "connections", "ends", "sent_ns", "timeout")

    def __init__(
        self, timeout: asyncio.Timeout, answer_s: float, ends: float, connections: _Connections
    ) -> None:
        self.timeout = timeout
        self.answer_s = answer_s
        self.ends = ends
        self.connections = connections
        self.sent_ns = 0

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Be the request's middleware: hear of the moment of sending, and keep aiohttp from sending twice.

        On its own aiohttp repeats PUT and DELETE when a kept connection turns out to be dead.
        """
        assert isinstance(request, _Request)
        request.attempt = self
        try:
            return await handler(request)
        except aiohttp.ClientConnectorError:
            raise
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
            raise _Broken(_in_words(error)) from error

    def leaves(self, connection: Connection) -> None:
        """Note that the request is being written from now on, and give the answer its own time."""
        self.connections.add(connection.protocol)
        self.timeout.reschedule(min(asyncio.get_running_loop().time() + self.answer_s, self.ends))
        self.sent_ns = wall_ns()


class _Request(aiohttp.ClientRequest):
    """aiohttp's request, which tells its attempt when it is about to be written."""

    attempt: _Attempt | None = None

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        """Write the request to a connection that stands."""
        if self.attempt is not None:
            self.attempt.leaves(conn)
        return await super().send(conn)


class HttpClient:
    """Talk to one server over kept connections.

    ``usage_headers`` maps an answer's header to the limiter's bucket whose use it tells. A 429 or 418 silences the
    limiter for the time the server names, and with it everybody who shares it.
    """

    def __init__(
        self,
        base_url: str,
        *,
        tls: TlsSettings | None = None,
        timeouts: Timeouts | None = None,
        limiter: RateLimiter | None = None,
        retries: RetryPolicy | None = None,
        headers: Mapping[str, str] | None = None,
        usage_headers: Mapping[str, str] | None = None,
        connections: int = 16,
        rng: Random | None = None,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.timeouts = timeouts or Timeouts()
        self.retries = retries or RetryPolicy()
        self.limiter = limiter or RateLimiter({})
        self.stats = HttpStats()
        self._used = _Connections(self.stats)
        self._tls = tls or TlsSettings()
        self._headers = {"User-Agent": "lanner", **(headers or {})}
        self._usage = {name.lower(): bucket for name, bucket in (usage_headers or {}).items()}
        self._connections = connections
        self._rng = rng
        self._session: aiohttp.ClientSession | None = None
        self._closed = False
        self._told_in_a_row = 0

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: str = "",
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        costs: Mapping[str, int] | None = None,
        priority: Priority = Priority.READ,
        idempotent: bool,
    ) -> HttpAnswer:
        """Send what is given and return the answer; see ``send``."""
        parts = _Plain(method, path, query, body, headers or {})
        return await self.send(lambda: parts, costs=costs, priority=priority, idempotent=idempotent)

    async def send(
        self,
        build: Callable[[], Outgoing],
        *,
        costs: Mapping[str, int] | None = None,
        priority: Priority = Priority.READ,
        idempotent: bool,
        deadline_s: float | None = None,
    ) -> HttpAnswer:
        """Wait for a turn, build the request, send it and return the answer, whatever its status.

        ``build`` is called anew before each sending, so that a signature's time and nonce are fresh. Sent again
        are, within ``deadline_s`` and the retry policy: all requests that found no connection; idempotent ones
        also after silence, after 429, and after the policy's statuses.

        Raises ``ConnectFailed`` (nothing was sent), ``Unanswered`` (it may have been) and ``RateLimited``. Who cancels
        the task that waits here knows as little as after ``Unanswered``.
        """
        loop = asyncio.get_running_loop()
        ends = loop.time() + (self.timeouts.deadline_s if deadline_s is None else deadline_s)
        policy = self.retries
        backoff = Backoff(policy.base_s, policy.cap_s, policy.attempts, policy.jitter, self._rng)
        last: HttpAnswer | NetError | None = None
        silence: Unanswered | None = None
        limited = 0
        while True:
            try:
                await self.limiter.acquire(costs or {}, priority, timeout_s=max(ends - loop.time(), 0.0))
            except RateLimited:
                if last is None:
                    raise
                break
            last = await self._outcome(build(), ends)
            if isinstance(last, Unanswered):
                silence = last
            if self._closed or not self._worth_another(last, idempotent):
                break
            if isinstance(last, HttpAnswer) and last.status == 429:
                limited += 1
                if limited > policy.limited:
                    break
                self.stats.retries += 1
                continue  # the limiter itself knows how long to wait
            wait_s = backoff.next()
            if wait_s is None or loop.time() + wait_s >= ends:
                break
            self.stats.retries += 1
            await asyncio.sleep(wait_s)
        if isinstance(last, NetError):
            # That the last attempt was never sent says nothing about those before it.
            raise silence or last
        return last

    async def close(self) -> None:
        """Close all connections; requests on their way end as ``Unanswered``."""
        self._closed = True
        if self._session is not None:
            await self._session.close()
            self._session = None

    # -- inside ----------------------------------------------------------------------------------------

    def _worth_another(self, outcome: HttpAnswer | NetError, idempotent: bool) -> bool:
        if isinstance(outcome, ConnectFailed):
            return True
        if not idempotent:
            return False
        return isinstance(outcome, Unanswered) or (
            isinstance(outcome, HttpAnswer)
            and (outcome.status == 429 or outcome.status in self.retries.statuses)
        )

    async def _outcome(self, parts: Outgoing, ends: float) -> HttpAnswer | NetError:
        """Send once. Errors are returned, since they may be followed by another attempt."""
        where = f"{parts.method} {safe_url(self.base_url + parts.path)}"
        session = self._open_session()
        times = self.timeouts
        self.stats.requests += 1
        attempt: _Attempt | None = None
        status: int | None = None
        try:
            now = asyncio.get_running_loop().time()
            async with asyncio.timeout_at(min(now + times.connect_s, ends)) as timeout:
                attempt = _Attempt(timeout, times.answer_s, ends, self._used)
                async with session.request(
                    parts.method,
                    self._url(parts),
                    data=parts.body or None,
                    headers=parts.headers,
                    allow_redirects=False,
                    middlewares=(attempt,),
                ) as response:
                    ts_recv = wall_ns()
                    status = response.status
                    body = await _whole_body(response)
        except aiohttp.InvalidURL:
            # aiohttp's own error would show the whole address, signature and all.
            raise ConfigError(f"{where}: this address cannot be used", expected="http(s)://host/…") from None
        except (aiohttp.ClientError, _Broken, OSError, EOFError) as error:
            return self._silence(where, error, attempt is not None and attempt.sent_ns > 0, status)
        answer = HttpAnswer(
            status,
            {name.lower(): value for name, value in response.headers.items()},
            body,
            attempt.sent_ns,
            ts_recv,
        )
        self._learn(answer)
        return answer

    def _silence(self, where: str, error: BaseException, left: bool, status: int | None) -> NetError:
        reason = _in_words(error)
        if left:
            self.stats.unanswered += 1
            return Unanswered(f"{where} was not answered", found=reason, status=status)
        self.stats.connect_failed += 1
        return ConnectFailed(f"{where} found no connection", expected="a connection", found=reason)

    def _learn(self, answer: HttpAnswer) -> None:
        self.stats.answered += 1
        self.stats.last_latency_ns = answer.ts_recv - answer.ts_sent
        for name, bucket in self._usage.items():
            used = answer.headers.get(name, "")
            if used.isdigit():
                self.limiter.feed(bucket, int(used))
        if answer.status not in (418, 429):
            self._told_in_a_row = 0
            return
        self.stats.told_to_wait += 1
        policy = self.retries
        growing_s = min(policy.wait_s * 2.0**self._told_in_a_row, policy.wait_cap_s)
        self._told_in_a_row = min(self._told_in_a_row + 1, 16)
        wait_s = retry_after_s(answer, otherwise=120.0 if answer.status == 418 else growing_s)
        self.limiter.block(answer.ts_recv + int(wait_s * 1e9), f"status {answer.status}")

    def _url(self, parts: Outgoing) -> URL:
        text = f"{self.base_url}{parts.path}"
        return URL(f"{text}?{parts.query}" if parts.query else text, encoded=True)

    def _open_session(self) -> aiohttp.ClientSession:
        if self._closed:
            raise ConnectFailed("the HTTP client is closed")
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    # a context reads all of the system's authorities: some 10 ms that plain HTTP need not wait
                    ssl=self._tls.context() if self.base_url.startswith("https://") else True,
                    limit=self._connections,
                    keepalive_timeout=self.timeouts.keep_s,
                    ttl_dns_cache=300,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers=self._headers,
                timeout=aiohttp.ClientTimeout(),
                request_class=_Request,
            )
        return self._session


async def _whole_body(response: aiohttp.ClientResponse) -> bytes:
    length = response.content_length
    if length is not None and length <= LARGEST_ANSWER and "Content-Encoding" not in response.headers:
        return await response.read()
    chunks = []
    room = LARGEST_ANSWER
    async for chunk in response.content.iter_any():
        chunks.append(chunk)
        room -= len(chunk)
        if room < 0:
            raise aiohttp.ClientPayloadError(f"an answer of more than {LARGEST_ANSWER} bytes")
    return b"".join(chunks)


def _in_words(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "silence until the time-out"
    if isinstance(error, aiohttp.ClientConnectorError):
        return str(error.os_error) or type(error.os_error).__name__
    if isinstance(error, aiohttp.ClientResponseError):
        return f"not HTTP: {error.message}"[:200]  # its own text would show the address with the signature
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "the server closed the connection"
    return str(error) or type(error).__name__
