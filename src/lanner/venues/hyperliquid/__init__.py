"""Hyperliquid: perpetuals and spot on one wire."""
