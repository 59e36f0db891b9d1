"""Market data on disk: the catalog, its importers and the data passport."""

__all__: list[str] = []
