"""Fault drills: the live engine against the venue simulator, in virtual time, by the thousand."""

from __future__ import annotations

__all__: list[str] = []
