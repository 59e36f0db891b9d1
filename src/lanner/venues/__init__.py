"""Venues: one codec for each wire, one gateway for all of them."""
