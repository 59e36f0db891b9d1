"""Hyperliquid: perpetuals and spot on one wire."""

from lanner.venues.hyperliquid.spec import HYPERLIQUID

__all__ = ["HYPERLIQUID"]
