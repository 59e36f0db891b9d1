"""Importers: one reader per format, one intake for all."""

__all__: list[str] = []
