"""The wall: sockets, HTTP, clocks, rate limits and nonces. Nothing here knows a venue."""

__all__: list[str] = []
