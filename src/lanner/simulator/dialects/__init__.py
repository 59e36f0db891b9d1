"""The protocols that the simulated venue speaks, one package each."""

__all__: list[str] = []
