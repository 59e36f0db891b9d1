"""What users write strategies with."""

__all__: list[str] = []
