"""The heart: one synchronous engine."""

__all__: list[str] = []
