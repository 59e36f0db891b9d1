"""The command line: a thin face over the rooms below, and the outermost wall for errors."""

__all__: list[str] = []
