"""Strategy parameters: declared once with type, default, range and help."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, TypeVar, cast, overload

from lanner.core.errors import ConfigError

YES = ("true", "yes", "on", "1")
NO = ("false", "no", "off", "0")

T = TypeVar("T", bound=int | float | bool | str)


class Param(Generic[T]):
    """Declare a parameter of a strategy: ``fast = Param(10, 2, 200, help="fast average")``.

    The type follows the default. ``low`` and ``high`` are inclusive; ``choices`` lists the legal texts.
    The same declaration feeds the command line, YAML files, sweeps and forms.
    """

    def __init__(
        self,
        default: T,
        low: T | None = None,
        high: T | None = None,
        *,
        step: T | None = None,
        choices: tuple[T, ...] | None = None,
        help: str = "",
    ) -> None:
        self.default = default
        self.low = low
        self.high = high
        self.step = step
        self.choices = choices
        self.help = help
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name
        try:
            self.parse(self.default)
        except ConfigError as error:
            raise ConfigError(
                f"{owner.__name__}.{name}: the default does not fit its own range: {error}"
            ) from None

    @overload
    def __get__(self, instance: None, owner: type) -> Param[T]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object | None, owner: type) -> Param[T] | T:
        if instance is None:
            return self
        value: T = instance.__dict__.get(self.name, self.default)
        return value

    def __set__(self, instance: object, value: T) -> None:
        instance.__dict__[self.name] = self.parse(value)

    @property
    def type(self) -> type:
        """Return int, float, bool or str."""
        return type(self.default)

    def describe(self) -> str:
        """Return what values are legal, in words."""
        if self.choices:
            return "one of " + ", ".join(str(choice) for choice in self.choices)
        word = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}[self.type]
        if self.low is not None and self.high is not None:
            return f"{word} from {self.low} to {self.high}"
        if self.low is not None:
            return f"{word} >= {self.low}"
        return word if self.high is None else f"{word} <= {self.high}"

    def parse(self, value: object) -> T:
        """Turn text or a value into the parameter's type and check its range."""
        parsed: Any = self._convert(value)
        if (
            parsed != parsed
            or (self.low is not None and parsed < self.low)
            or (self.high is not None and parsed > self.high)
            or (self.choices is not None and parsed not in self.choices)
        ):
            raise self._refuse(value)
        return cast(T, parsed)

    def _convert(self, value: object) -> T:
        kind = self.type
        if kind is bool:
            word = str(value).strip().lower()
            if word not in YES and word not in NO:
                raise self._refuse(value)
            return cast(T, word in YES)
        if isinstance(value, bool):
            raise self._refuse(value)
        if kind is str:
            return cast(T, str(value))
        try:
            number = value if isinstance(value, int) and kind is int else float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError):
            raise self._refuse(value) from None
        if kind is int:
            if number != number or number in (float("inf"), float("-inf")) or int(number) != number:
                raise self._refuse(value)
            return cast(T, int(number))
        if number in (float("inf"), float("-inf")):
            raise self._refuse(value)
        return cast(T, float(number))

    def _refuse(self, value: object) -> ConfigError:
        return ConfigError(
            f"parameter {self.name!r} is not legal", expected=self.describe(), found=repr(value)
        )


def declared(cls: type) -> dict[str, Param[Any]]:
    """Return the parameters a class declares (its bases' first), by name."""
    found: dict[str, Param[Any]] = {}
    for base in reversed(cls.__mro__):
        own = vars(base)
        for name in [name for name in found if name in own and not isinstance(own[name], Param)]:
            del found[name]
        if not own.get(
            "declares_nothing"
        ):  # the bases of all strategies, asked for at every variant of a sweep
            found.update([(name, value) for name, value in own.items() if isinstance(value, Param)])
    return found


def assign(
    instance: object, values: Mapping[str, object], known: Mapping[str, Param[Any]] | None = None
) -> None:
    """Set parameters by name; an unknown name is refused with the list of known ones.

    ``known`` are those that the class declares, where the caller has them at hand.
    """
    known = declared(type(instance)) if known is None else known
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise ConfigError(
            f"{type(instance).__name__} has no parameter {', '.join(repr(name) for name in unknown)}",
            expected=f"one of {', '.join(known) or '(it declares none)'}",
            fix="Declare it in the class with Param(...), or check the spelling.",
        )
    for name, value in values.items():
        setattr(instance, name, value)  # a Param checks what it is set to
