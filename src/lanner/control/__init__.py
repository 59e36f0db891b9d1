"""What the command line and the API share: sessions, backtests and the kill switch of one process."""

__all__: list[str] = []
