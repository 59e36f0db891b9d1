"""Venues: one codec for each wire, one gateway for all of them."""

__all__: list[str] = []
