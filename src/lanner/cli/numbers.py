"""What the numbers of options may be. Told while the options are read: no command meets nan, infinity or the absurd."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from cyclopts import Parameter, Token, validators

A_CENTURY_S = 100 * 366 * 86_400

SECONDS = validators.Number(gte=0, lte=A_CENTURY_S)
MINUTES = validators.Number(gte=0, lte=A_CENTURY_S // 60)
NOT_NEGATIVE = validators.Number(gte=0)
AT_LEAST_ONE = validators.Number(gte=1)


def _whole(_type: type, tokens: Sequence[Token]) -> int:
    """Read a whole number; the parser's own reader rounds 1.7 to 2 and says nothing."""
    return int(tokens[0].value)


Whole = Annotated[int, Parameter(converter=_whole)]
WholeOrNone = Annotated[int | None, Parameter(converter=_whole)]
