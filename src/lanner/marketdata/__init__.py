"""Market data in motion: bars, books, the time-ordered merge, synthetic series."""

__all__: list[str] = []
