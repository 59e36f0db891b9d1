"""A venue over real sockets: it speaks the venues' own protocols and matches orders for money that is not."""

__all__: list[str] = []
