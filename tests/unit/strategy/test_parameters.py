"""Parameters: declared once, parsed from text or values, checked against their range."""

from __future__ import annotations

import pytest

from lanner.core.errors import ConfigError
from lanner.strategy.base import Strategy
from lanner.strategy.parameters import Param


class Tuned(Strategy):
    """Has one parameter of each kind."""

    count = Param(10, 2, 50, help="how many")
    share = Param(0.5, 0.0, 1.0)
    on = Param(True)
    mode = Param("a", choices=("a", "b"))


GOOD: list[tuple[str, object, object]] = [
    ("count", "12", 12),
    ("count", 12.0, 12),
    ("count", "1.2e1", 12),
    ("share", "0.25", 0.25),
    ("share", 1, 1.0),
    ("on", "no", False),
    ("on", "YES", True),
    ("on", 0, False),
    ("on", True, True),
    ("mode", "b", "b"),
]


@pytest.mark.parametrize(("name", "given", "expected"), GOOD)
def test_values_and_texts_are_understood(name: str, given: object, expected: object) -> None:
    value = Tuned(**{name: given}).values()[name]
    assert value == expected
    assert type(value) is type(expected)


BAD: list[tuple[str, object]] = [
    ("count", 1),
    ("count", 51),
    ("count", 2.5),
    ("count", "two"),
    ("count", ""),
    ("count", None),
    ("count", True),
    ("count", "nan"),
    ("count", "inf"),
    ("count", [3]),
    ("share", -0.1),
    ("share", "nan"),
    ("share", 10**400),
    ("share", False),
    ("on", "maybe"),
    ("on", 2),
    ("on", None),
    ("mode", "c"),
]


@pytest.mark.parametrize(("name", "given"), BAD)
def test_everything_else_is_refused_with_what_is_legal(name: str, given: object) -> None:
    with pytest.raises(ConfigError, match=f"parameter '{name}' is not legal; expected .*; found"):
        Tuned(**{name: given})


def test_setting_an_attribute_is_checked_too() -> None:
    tuned = Tuned()
    tuned.count = 20
    assert tuned.values() == {"count": 20, "share": 0.5, "on": True, "mode": "a"}
    with pytest.raises(ConfigError):
        tuned.count = 99
    assert tuned.count == 20


def test_unknown_names_are_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="one of count, share, on, mode"):
        Tuned(cuont=3)


def test_a_subclass_can_replace_and_drop_parameters() -> None:
    class Narrow(Tuned):
        count = Param(3, 2, 5)
        mode = "a"

    assert list(Narrow.parameters()) == ["count", "share", "on"]
    with pytest.raises(ConfigError, match="from 2 to 5"):
        Narrow(count=6)
    assert list(Tuned.parameters()) == ["count", "share", "on", "mode"]
