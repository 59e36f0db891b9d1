"""The error tree: every fault a user can meet, with what was expected, what was found and what to do.

::

    LannerError                exit code 1
    ├── ConfigError            4   a setting, parameter or command option is wrong
    ├── NotFoundError          2   a file, data set, run, strategy or instrument does not exist
    ├── DataError              1   a data file or a data set cannot be used as it is
    ├── RiskRefusedError       6   a safety rule says no
    ├── StrategyError          1   the user's strategy code raised
    ├── InvalidOrderError      1   an order cannot be built from what was given
    │   ├── InvalidStopLoss        a stop that does not lie on the losing side
    │   ├── InvalidTakeProfit      a target that does not lie on the winning side
    │   └── InvalidTrailingPercent a trailing distance out of range
    └── InternalFaultError     1   a broken promise of our own (please report)
        └── TransitionError        an order was asked to make an illegal step

Business outcomes (a denied or rejected order, a missed fill) are messages, never exceptions.
"""

from __future__ import annotations

EXIT_OK = 0
EXIT_ERROR = 1
EXIT_NOT_FOUND = 2
EXIT_CONFIG = 4
EXIT_RISK = 6


class LannerError(Exception):
    """Carry a message for people: what happened, what was expected, what was found, what to do."""

    exit_code = EXIT_ERROR

    def __init__(
        self,
        what: str,
        *,
        expected: str | None = None,
        found: object | None = None,
        fix: str | None = None,
    ) -> None:
        self.what = what
        self.expected = expected
        self.found = None if found is None else str(found)
        self.fix = fix
        super().__init__(self.message())

    def message(self) -> str:
        """Join the parts into one line of plain text."""
        parts = [self.what]
        if self.expected is not None:
            parts.append(f"expected {self.expected}")
        if self.found is not None:
            parts.append(f"found {self.found}")
        text = "; ".join(parts)
        return f"{text}. {self.fix}" if self.fix else text

    def as_dict(self) -> dict[str, object]:
        """Return the parts as plain data for ``--json`` output."""
        return {
            "error": type(self).__name__,
            "message": self.what,
            "expected": self.expected,
            "found": self.found,
            "fix": self.fix,
            "exit_code": self.exit_code,
        }


class ConfigError(LannerError):
    """A setting, a parameter or a command option is wrong."""

    exit_code = EXIT_CONFIG


class NotFoundError(LannerError):
    """A file, data set, run, strategy or instrument does not exist."""

    exit_code = EXIT_NOT_FOUND


class DataError(LannerError):
    """A data file or a data set cannot be used as it is."""


class RiskRefusedError(LannerError):
    """A safety rule refuses to go on."""

    exit_code = EXIT_RISK


class StrategyError(LannerError):
    """The user's strategy code raised; the message shows the user's own lines."""


class InvalidOrderError(LannerError):
    """An order cannot be built from what the strategy gave."""


class InvalidStopLoss(InvalidOrderError):  # noqa: N818 - the specification's name
    """A stop loss that could not protect the position."""


class InvalidTakeProfit(InvalidOrderError):  # noqa: N818 - the specification's name
    """A take profit that could not take a profit."""


class InvalidTrailingPercent(InvalidOrderError):  # noqa: N818 - the specification's name
    """A trailing distance that is not more than nothing and less than all."""


class InternalFaultError(LannerError):
    """A promise inside Lanner was broken; please report it."""


class TransitionError(InternalFaultError):
    """A state machine was asked to make a step its table does not have."""
