"""Building blocks without a trading word in them."""

__all__: list[str] = []
