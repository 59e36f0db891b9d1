"""Live: the drivers that stand between venues, the engine and the catalog."""

__all__: list[str] = []
