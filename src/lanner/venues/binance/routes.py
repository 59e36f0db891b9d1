"""Which streams serve which wishes, and on which connections."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from lanner.venues.binance.spec import MAX_AGE_S, STREAMS_PER_CONNECTION, STREAMS_PER_REQUEST
from lanner.venues.codec import Feed, Heartbeat, Route, Subscription
from lanner.venues.errors import ErrorKind, Reason, VenueError

_DEPTHS = ("5", "10", "20")


def stream_of(wish: Subscription, symbol: str, *, futures: bool) -> str:
    """Return the stream that brings what is wished, or raise ``VenueError`` UNSUPPORTED."""
    name = symbol.lower()
    if wish.feed is Feed.QUOTES:
        return f"{name}@bookTicker"
    if wish.feed is Feed.TRADES:
        return f"{name}@aggTrade" if futures else f"{name}@trade"
    if wish.feed is Feed.BOOK and wish.spec in ("", *_DEPTHS):
        return f"{name}@depth{wish.spec}@100ms"
    if wish.feed is Feed.BARS and wish.spec:
        return f"{name}@kline_{wish.spec}"
    if futures and wish.feed in (Feed.MARK, Feed.FUNDING):
        return f"{name}@markPrice@1s"
    raise VenueError(
        ErrorKind.REJECTED,
        f"there is no stream for {wish.feed.name} {wish.spec} of {wish.instrument_id}".replace("  ", " "),
        reason=Reason.UNSUPPORTED,
    )


def subscribe_frames(streams: Sequence[str]) -> tuple[bytes, ...]:
    """Write the subscriptions, so many to a frame that the venue takes it."""
    return tuple(
        msgspec.json.encode(
            {
                "method": "SUBSCRIBE",
                "params": streams[start : start + STREAMS_PER_REQUEST],
                "id": start // STREAMS_PER_REQUEST + 1,
            }
        )
        for start in range(0, len(streams), STREAMS_PER_REQUEST)
    )


def plan(
    wishes: Iterable[Subscription],
    stream: Callable[[Subscription], str],
    place: Callable[[Subscription], tuple[str, str]],
    heartbeat: Heartbeat,
    sends_per_s: float,
) -> list[Route]:
    """Spread streams over connections. ``place`` names a wish's kind of connection and its address."""
    groups: dict[tuple[str, str], dict[str, list[Subscription]]] = {}
    for wish in wishes:
        groups.setdefault(place(wish), {}).setdefault(stream(wish), []).append(wish)
    routes = []
    for (name, url), streams in groups.items():
        names = list(streams)
        for start in range(0, len(names), STREAMS_PER_CONNECTION):
            part = names[start : start + STREAMS_PER_CONNECTION]
            routes.append(
                Route(
                    f"{name}-{start // STREAMS_PER_CONNECTION + 1}",
                    url,
                    subscribe_frames(part),
                    tuple(wish for one in part for wish in streams[one]),
                    heartbeat,
                    sends_per_s,
                    MAX_AGE_S,
                )
            )
    return routes
