"""A venue made of arithmetic."""

__all__: list[str] = []
