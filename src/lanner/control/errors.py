"""What control refuses, each with a name and a number for programs.

``name`` (the class's, without its ending) and ``code`` never change: the API answers with them. Numbers from 5001 on
are those of the specification.
"""

from __future__ import annotations

from typing import Any, ClassVar

from lanner.core.errors import ConfigError, LannerError, NotFoundError, RiskRefusedError


def in_words(error: BaseException) -> str:
    """Return an error in words; one that is not Lanner's own with its kind."""
    return error.message() if isinstance(error, LannerError) else f"{type(error).__name__}: {error}"


class CodedError(LannerError):
    """Add the stable name and number to an error's plain data."""

    name: ClassVar[str] = "ControlError"
    code: ClassVar[int] = 5000

    def __init_subclass__(cls, *, code: int, **more: Any) -> None:
        super().__init_subclass__(**more)
        cls.name, cls.code = cls.__name__.removesuffix("Error"), code

    def as_dict(self) -> dict[str, object]:
        """Return the parts as plain data, with ``code`` and its ``number``."""
        return {**super().as_dict(), "code": self.name, "number": self.code}


class DuplicateOrderError(CodedError, ConfigError, code=1002):
    """An order was sent with a client order id that another one has."""


class NotRunningError(CodedError, code=5001):
    """Something was asked of a session that does not run."""


class PausedError(CodedError, code=5002):
    """An order was asked of a session that is paused."""


class EngineMissingError(CodedError, code=5003):
    """A session has no engine yet, or could not make one."""


class AlreadyRunningError(CodedError, code=5004):
    """A session that runs was started again."""


class NotPausedError(CodedError, code=5005):
    """A session was resumed that is not paused."""


class NotAnsweringError(CodedError, code=5006):
    """A session's loop does not answer: something in it blocks."""


class LiveAlreadyExistsError(CodedError, ConfigError, code=5101):
    """There is a session of this id already."""


class LiveNotFoundError(CodedError, NotFoundError, code=5102):
    """There is no session of this id."""


class StrategyAlreadyExistsError(CodedError, ConfigError, code=5103):
    """There is a running strategy of this id already."""


class StrategyNotFoundError(CodedError, NotFoundError, code=5104):
    """There is no running strategy of this id."""


class BacktestAlreadyExistsError(CodedError, ConfigError, code=5105):
    """There is a backtest of this id already."""


class BacktestNotFoundError(CodedError, NotFoundError, code=5106):
    """There is no backtest of this id."""


class BacktestNotFinishedError(CodedError, code=5107):
    """The result was asked for of a backtest that has none."""


class KillSwitchActiveError(CodedError, RiskRefusedError, code=5201):
    """Nothing is started while the kill switch is active."""


class MissingGridPricesError(CodedError, ConfigError, code=5301):
    """A grid was asked for without its upper and lower price."""


class InvalidPriceRangeError(CodedError, ConfigError, code=5302):
    """A grid's upper price is not above its lower one."""


class InvalidGridCountError(CodedError, ConfigError, code=5303):
    """A grid has too few or too many levels."""
