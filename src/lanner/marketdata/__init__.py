"""Market data in motion: bars, books, the time-ordered merge, synthetic series."""
