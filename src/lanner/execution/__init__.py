"""Orders from registration to their end."""

__all__: list[str] = []
