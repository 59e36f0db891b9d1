"""One module a step; a step that was shipped never changes."""

__all__: list[str] = []
