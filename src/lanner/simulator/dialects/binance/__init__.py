"""Binance as the simulated venue speaks it: spot and USD-M futures."""

__all__: list[str] = []
