"""Positions, balances, profit and loss."""

__all__: list[str] = []
