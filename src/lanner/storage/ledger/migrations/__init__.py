"""The steps by which the ledger's schema came to what it is; alembic reads them from this folder."""

__all__: list[str] = []
