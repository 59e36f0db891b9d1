"""The message bus: a synchronous balcony from which others watch the road.

Single-threaded. Handlers run inside ``publish`` in the order of their subscription, exact topics first,
then wildcards. A handler that raises is isolated and reported; the others still get the message.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from inspect import signature
from typing import Any

from lanner.core.errors import ConfigError, NotFoundError

Handler = Callable[[str, Any], None]
EventHandler = Callable[[Any], None]
RequestHandler = Callable[[Any], Any]
CommandHandler = Callable[[Any], None]
FaultHandler = Callable[[str, Handler, Exception], None]

MAX_TOPIC = 256


class EndpointNotFoundError(NotFoundError):
    """A request went to an endpoint that nobody registered."""


class EndpointTakenError(ConfigError):
    """An endpoint was registered twice."""


@dataclass(slots=True)
class BusStats:
    """Counters of a bus; the last two describe the present and survive ``reset_stats``."""

    events_published: int = 0
    requests_handled: int = 0
    commands_sent: int = 0
    handler_faults: int = 0
    subscribers_count: int = 0
    endpoints_count: int = 0


class _Alone:
    """A handler that wants the event without its topic; equal to that handler, so that it can be removed."""

    __slots__ = ("handler",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, handler: Any) -> None:
        self.handler = handler

    def __call__(self, _topic: str, event: Any) -> None:
        self.handler(event)

    def __eq__(self, other: object) -> bool:
        return bool(self.handler == (other.handler if isinstance(other, _Alone) else other))


def _takes_one(handler: Any) -> bool:
    """Tell whether a handler can be called with one argument and not with two."""
    try:
        shape = signature(handler)
    except (TypeError, ValueError):
        return False
    try:
        shape.bind("", None)
    except TypeError:
        return len(shape.parameters) == 1
    return False


class MessageBus:
    """Publish and subscribe, request and response, one command handler, statistics.

    A topic pattern is exact, or a prefix when its last character is ``*`` (``*`` alone matches all);
    a ``*`` elsewhere has no special meaning. A subscriber that matches both ways is called twice. ``active``
    tells whether anybody listens at all, so that a hot path can skip making events for nobody.
    """

    __slots__ = (
        "_command",
        "_endpoints",
        "_exact",
        "_on_fault",
        "_prefix",
        "_routes",
        "_stats",
        "active",
        "on_change",
    )

    def __init__(self, on_fault: FaultHandler | None = None) -> None:
        self._exact: dict[str, list[Handler]] = {}
        self._prefix: list[tuple[str, Handler]] = []
        self._routes: dict[str, tuple[Handler, ...]] = {}
        self._endpoints: dict[str, RequestHandler] = {}
        self._command: CommandHandler | None = None
        self._stats = BusStats()
        self._on_fault = on_fault
        self.active = False
        self.on_change: Callable[[bool], None] | None = None

    # -- publish and subscribe ---------------------------------------------------------------------

    def subscribe(self, topic: str, handler: Handler | EventHandler) -> None:
        """Call ``handler(topic, event)`` for every event on a topic, or on a prefix that ends with ``*``.

        A handler that takes one argument gets the event alone.
        """
        _check_topic(topic)
        called: Any = _Alone(handler) if _takes_one(handler) else handler
        if topic.endswith("*"):
            self._prefix.append((topic[:-1], called))
        else:
            self._exact.setdefault(topic, []).append(called)
        self._changed(1)

    def unsubscribe(self, topic: str, handler: Handler | EventHandler) -> int:
        """Remove every subscription with this topic text and handler; return how many there were."""
        if topic.endswith("*"):
            kept = [entry for entry in self._prefix if entry != (topic[:-1], handler)]
            removed = len(self._prefix) - len(kept)
            self._prefix = kept
        else:
            handlers = self._exact.get(topic, [])
            left = [entry for entry in handlers if entry != handler]
            removed = len(handlers) - len(left)
            if left:
                self._exact[topic] = left
            else:
                self._exact.pop(topic, None)
        self._changed(-removed)
        return removed

    def _changed(self, by: int) -> None:
        """Forget the routes and tell whoever asked whether anybody listens now."""
        self._stats.subscribers_count += by
        self._routes.clear()
        active = self._stats.subscribers_count > 0
        if active != self.active:
            self.active = active
            if self.on_change is not None:
                self.on_change(active)

    def has_subscribers(self, topic: str) -> bool:
        """Tell whether an event on this topic would reach anybody."""
        handlers = self._routes.get(topic)
        return bool(self._route(topic) if handlers is None else handlers)

    def publish(self, topic: str, event: object) -> None:
        """Hand an event to every subscriber of the topic, in order."""
        self._stats.events_published += 1
        handlers = self._routes.get(topic)
        if handlers is None:
            handlers = self._route(topic)
        for handler in handlers:
            try:
                handler(topic, event)
            except Exception as fault:  # noqa: BLE001 - a watcher must never stop the road
                self._stats.handler_faults += 1
                if self._on_fault is not None:
                    self._on_fault(topic, handler, fault)

    def _route(self, topic: str) -> tuple[Handler, ...]:
        _check_topic(topic)
        matching = tuple(handler for prefix, handler in self._prefix if topic.startswith(prefix))
        route = tuple(self._exact.get(topic, ())) + matching
        if len(self._routes) >= 4096:  # topics made of ids must not grow the table without bound
            self._routes.clear()
        self._routes[topic] = route
        return route

    # -- request and response, command -------------------------------------------------------------

    def register(self, endpoint: str, handler: RequestHandler) -> None:
        """Answer requests on an endpoint; a second registration is refused."""
        _check_topic(endpoint)
        if endpoint in self._endpoints:
            raise EndpointTakenError(
                f"endpoint {endpoint!r} is already registered", expected="one handler an endpoint"
            )
        self._endpoints[endpoint] = handler
        self._stats.endpoints_count += 1

    def unregister(self, endpoint: str) -> None:
        """Stop answering on an endpoint."""
        if self._endpoints.pop(endpoint, None) is None:
            raise self._missing(endpoint)
        self._stats.endpoints_count -= 1

    def request(self, endpoint: str, payload: object) -> Any:
        """Ask an endpoint and return its answer; its errors pass through."""
        handler = self._endpoints.get(endpoint)
        if handler is None:
            raise self._missing(endpoint)
        self._stats.requests_handled += 1
        return handler(payload)

    def set_command_handler(self, handler: CommandHandler | None) -> None:
        """Choose who receives commands."""
        self._command = handler

    def send(self, command: object) -> None:
        """Send a command and forget it; without a handler it is dropped."""
        self._stats.commands_sent += 1
        if self._command is not None:
            self._command(command)

    # -- statistics --------------------------------------------------------------------------------

    def stats(self) -> BusStats:
        """Return a copy of the counters."""
        s = self._stats
        return BusStats(
            s.events_published,
            s.requests_handled,
            s.commands_sent,
            s.handler_faults,
            s.subscribers_count,
            s.endpoints_count,
        )

    def reset_stats(self) -> None:
        """Set the counters to zero, except those that describe the present."""
        self._stats = BusStats(
            subscribers_count=self._stats.subscribers_count, endpoints_count=self._stats.endpoints_count
        )

    def _missing(self, endpoint: str) -> EndpointNotFoundError:
        known = ", ".join(sorted(self._endpoints)) or "none"
        return EndpointNotFoundError(f"no endpoint {endpoint!r}", expected=f"one of: {known}")


def _check_topic(topic: str) -> None:
    if not topic or len(topic) > MAX_TOPIC:
        raise ConfigError(
            "a topic is empty or too long", expected=f"1 to {MAX_TOPIC} characters", found=len(topic)
        )
