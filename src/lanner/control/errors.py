"""What control refuses, each with a name and a number for programs.

``name`` and ``code`` never change: the API answers with them. Numbers from 5001 on are those of the specification.
"""

from __future__ import annotations

from typing import ClassVar

from lanner.core.errors import ConfigError, LannerError, NotFoundError, RiskRefusedError


class CodedError(LannerError):
    """Add the stable name and number to an error's plain data."""

    name: ClassVar[str] = "ControlError"
    code: ClassVar[int] = 5000

    def as_dict(self) -> dict[str, object]:
        """Return the parts as plain data, with ``code`` and its ``number``."""
        return {**super().as_dict(), "code": self.name, "number": self.code}


class NotRunningError(CodedError):
    """Something was asked of a session that does not run."""

    name, code = "NotRunning", 5001


class PausedError(CodedError):
    """An order was asked of a session that is paused."""

    name, code = "Paused", 5002


class EngineMissingError(CodedError):
    """A session has no engine yet, or could not make one."""

    name, code = "EngineMissing", 5003


class AlreadyRunningError(CodedError):
    """A session that runs was started again."""

    name, code = "AlreadyRunning", 5004


class NotPausedError(CodedError):
    """A session was resumed that is not paused."""

    name, code = "NotPaused", 5005


class NotAnsweringError(CodedError):
    """A session's loop does not answer: something in it blocks."""

    name, code = "NotAnswering", 5006


class LiveAlreadyExistsError(CodedError, ConfigError):
    """There is a session of this id already."""

    name, code = "LiveAlreadyExists", 5101


class LiveNotFoundError(CodedError, NotFoundError):
    """There is no session of this id."""

    name, code = "LiveNotFound", 5102


class StrategyAlreadyExistsError(CodedError, ConfigError):
    """There is a running strategy of this id already."""

    name, code = "StrategyAlreadyExists", 5103


class StrategyNotFoundError(CodedError, NotFoundError):
    """There is no running strategy of this id."""

    name, code = "StrategyNotFound", 5104


class BacktestAlreadyExistsError(CodedError, ConfigError):
    """There is a backtest of this id already."""

    name, code = "BacktestAlreadyExists", 5105


class BacktestNotFoundError(CodedError, NotFoundError):
    """There is no backtest of this id."""

    name, code = "BacktestNotFound", 5106


class BacktestNotFinishedError(CodedError):
    """The result was asked for of a backtest that has none."""

    name, code = "BacktestNotFinished", 5107


class KillSwitchActiveError(CodedError, RiskRefusedError):
    """Nothing is started while the kill switch is active."""

    name, code = "KillSwitchActive", 5201


class MissingGridPricesError(CodedError, ConfigError):
    """A grid was asked for without its upper and lower price."""

    name, code = "MissingGridPrices", 5301


class InvalidPriceRangeError(CodedError, ConfigError):
    """A grid's upper price is not above its lower one."""

    name, code = "InvalidPriceRange", 5302


class InvalidGridCountError(CodedError, ConfigError):
    """A grid has too few or too many levels."""

    name, code = "InvalidGridCount", 5303
