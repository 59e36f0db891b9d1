"""Research at memory speed, and proof against fooling oneself."""

__all__: list[str] = []
