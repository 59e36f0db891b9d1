"""The ledger: sessions, orders, fills and equity as rows of a database, made again from the journals at any time."""

__all__: list[str] = []
