"""Limits and checks before an order leaves."""

__all__: list[str] = []
